"""Tokens, the audit trail, and quotas of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_USED = """
INSERT INTO usages (project_key, stored_bytes)
SELECT projects.key,
  COALESCE((SELECT SUM(LENGTH(votes) + COALESCE(LENGTH(positions), 0) + COALESCE(LENGTH(item_ids), 0)
      + COALESCE(LENGTH(candidate_sets), 0) + COALESCE(LENGTH(soft_votes), 0))
    FROM chunks JOIN uploads ON uploads.key = chunks.upload_key WHERE uploads.project_key = projects.key), 0)
  + COALESCE((SELECT SUM(LENGTH(content) + COALESCE(LENGTH(item_ids), 0))
    FROM side_chunks JOIN side_uploads ON side_uploads.key = side_chunks.side_upload_key
    WHERE side_uploads.project_key = projects.key), 0)
  + COALESCE((SELECT SUM(LENGTH(content)) FROM models WHERE models.project_key = projects.key), 0)
  + COALESCE((SELECT SUM(LENGTH(probabilities) + LENGTH(labels))
    FROM soft_labels JOIN models ON models.key = soft_labels.model_key WHERE models.project_key = projects.key), 0)
FROM projects
"""


def upgrade() -> None:
    """Adds tables, and counts the bytes of each project; what there is stays as it is."""
    op.create_table(
        "tokens",
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("grants", sa.JSON(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=True),
        sa.Column("previous_expire_time", sa.BigInteger(), nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("expire_time", sa.BigInteger(), nullable=True),
        sa.Column("revoke_time", sa.BigInteger(), nullable=True),
        sa.Column("calls_per_second", sa.Float(), nullable=True),
        sa.Column("bytes_per_second", sa.Float(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_tokens")),
    )
    op.create_table(
        "audit",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("token_name", sa.String(length=255), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_time"), ["event_time"], unique=False)
    op.create_table(
        "quotas",
        sa.Column("project_id", sa.String(length=63), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("max_rows", "max_sources", "max_classes", "max_bytes")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_quotas")),
    )
    op.create_table(
        "usages",
        sa.Column("project_key", _KEY, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_usages_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_key", name=op.f("pk_usages")),
    )
    op.execute(sa.text(_USED))


def downgrade() -> None:
    """Drops them."""
    op.drop_table("usages")
    op.drop_table("quotas")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_time"))
    op.drop_table("audit")
    op.drop_table("tokens")

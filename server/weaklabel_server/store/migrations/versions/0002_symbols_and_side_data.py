"""Codebooks of votes that say less than one class, and side data."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns and tables; what there is stays as it is."""
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("candidate_sets", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("soft_votes", sa.LargeBinary(), nullable=True))

    op.create_table(
        "side_uploads",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side_data_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("writer", sa.String(length=32), nullable=False),
        sa.Column("named_items", sa.Boolean(), nullable=True),
        sa.Column("committed_rows", sa.BigInteger(), nullable=False),
        sa.Column("column_count", sa.Integer(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_side_uploads_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_side_uploads")),
        sa.UniqueConstraint("project_key", "side_data_id", name=op.f("uq_side_uploads_project_key_side_data_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "side_chunks",
        sa.Column("side_upload_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("row_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("item_ids", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["side_upload_key"], ["side_uploads.key"], name=op.f("fk_side_chunks_side_upload_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("side_upload_key", "row_offset", name=op.f("pk_side_chunks")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("side_chunks")
    op.drop_table("side_uploads")
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.drop_column("soft_votes")
        batch_op.drop_column("candidate_sets")

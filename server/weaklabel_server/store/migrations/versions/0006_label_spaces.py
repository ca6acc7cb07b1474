"""Label spaces, records, and labels as tables."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column and tables; what there is stays as it is."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    # Not in a batch, which would make the table anew: dropping the old one would delete what refers to it.
    op.add_column("projects", sa.Column("label_space", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "record_uploads",
        sa.Column("key", key, autoincrement=True, nullable=False),
        sa.Column("project_key", key, nullable=False),
        sa.Column("record_set_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("writer", sa.String(length=32), nullable=False),
        sa.Column("named_items", sa.Boolean(), nullable=True),
        sa.Column("committed_rows", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_record_uploads_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_record_uploads")),
        sa.UniqueConstraint("project_key", "record_set_id", name=op.f("uq_record_uploads_project_key_record_set_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "record_chunks",
        sa.Column("record_upload_key", key, nullable=False),
        sa.Column("row_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_upload_key"],
            ["record_uploads.key"],
            name=op.f("fk_record_chunks_record_upload_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("record_upload_key", "row_offset", name=op.f("pk_record_chunks")),
    )
    op.create_table(
        "label_chunks",
        sa.Column("model_key", key, nullable=False),
        sa.Column("table_name", sa.String(length=32), nullable=False),
        sa.Column("row_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_key"], ["models.key"], name=op.f("fk_label_chunks_model_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_key", "table_name", "row_offset", name=op.f("pk_label_chunks")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("label_chunks")
    op.drop_table("record_chunks")
    op.drop_table("record_uploads")
    op.drop_column("projects", "label_space")

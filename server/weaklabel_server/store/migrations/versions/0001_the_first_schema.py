"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "projects",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=63), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("named_items", sa.Boolean(), nullable=True),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("votes_version", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_projects")),
        sa.UniqueConstraint("project_id", name=op.f("uq_projects_project_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_requests")),
    )
    op.create_table(
        "items",
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_items_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_key", "position", name=op.f("pk_items")),
        sa.UniqueConstraint("project_key", "item_id", name=op.f("uq_items_project_key_item_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "models",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=False),
        sa.Column("votes_version", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_models_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_models")),
        sa.UniqueConstraint("project_key", "model_id", name=op.f("uq_models_project_key_model_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "operations",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("operation_id", sa.String(length=32), nullable=False),
        sa.Column("votes_version", sa.BigInteger(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("max_iterations", sa.Integer(), nullable=False),
        sa.Column("objective", sa.Float(), nullable=False),
        sa.Column("change", sa.Float(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("model_id", sa.String(length=32), nullable=True),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_operations_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_operations")),
        sa.UniqueConstraint("project_key", "operation_id", name=op.f("uq_operations_project_key_operation_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_operations_done"), ["done"], unique=False)

    op.create_table(
        "sources",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("first_version", sa.BigInteger(), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=False),
        sa.Column("deleted_version", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_sources_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sources")),
        sa.UniqueConstraint(
            "project_key",
            "display_name",
            "deleted_version",
            name=op.f("uq_sources_project_key_display_name_deleted_version"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "uploads",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("upload_id", sa.String(length=36), nullable=False),
        sa.Column("source_names", sa.JSON(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("writer", sa.String(length=32), nullable=False),
        sa.Column("named_items", sa.Boolean(), nullable=True),
        sa.Column("committed_rows", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source_keys", sa.JSON(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_uploads_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_uploads")),
        sa.UniqueConstraint("project_key", "upload_id", name=op.f("uq_uploads_project_key_upload_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_project_key_version"), ["project_key", "version"], unique=False)

    op.create_table(
        "versions",
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_versions_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_key", "version", name=op.f("pk_versions")),
    )
    op.create_table(
        "chunks",
        sa.Column("upload_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("row_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("vote_count", sa.BigInteger(), nullable=False),
        sa.Column("sparse", sa.Boolean(), nullable=False),
        sa.Column("dtype", sa.String(length=8), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=True),
        sa.Column("last_position", sa.BigInteger(), nullable=True),
        sa.Column("positions", sa.LargeBinary(), nullable=True),
        sa.Column("item_ids", sa.LargeBinary(), nullable=True),
        sa.Column("votes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["upload_key"], ["uploads.key"], name=op.f("fk_chunks_upload_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("upload_key", "row_offset", name=op.f("pk_chunks")),
    )
    op.create_table(
        "soft_labels",
        sa.Column("model_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("row_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("probabilities", sa.LargeBinary(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_key"], ["models.key"], name=op.f("fk_soft_labels_model_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_key", "row_offset", name=op.f("pk_soft_labels")),
    )


def downgrade() -> None:
    """Drops all tables."""
    op.drop_table("soft_labels")
    op.drop_table("chunks")
    op.drop_table("versions")
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_uploads_project_key_version"))

    op.drop_table("uploads")
    op.drop_table("sources")
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_operations_done"))

    op.drop_table("operations")
    op.drop_table("models")
    op.drop_table("items")
    op.drop_table("requests")
    op.drop_table("projects")

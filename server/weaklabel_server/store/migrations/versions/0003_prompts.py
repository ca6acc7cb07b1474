"""Runs of prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column and a table; what there is stays as it is."""
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prompts", sa.JSON(), nullable=True))

    op.create_table(
        "prompt_runs",
        sa.Column("operation_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("votes_version", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.Float(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("unconfirmed_money", sa.Float(), nullable=False),
        sa.Column("unconfirmed_tokens", sa.Float(), nullable=False),
        sa.Column("held_money", sa.Float(), nullable=False),
        sa.Column("held_tokens", sa.Float(), nullable=False),
        sa.Column("budget_reached", sa.Boolean(), nullable=False),
        sa.Column("summaries", sa.JSON(), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_key"], ["operations.key"], name=op.f("fk_prompt_runs_operation_key"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_key"], ["projects.key"], name=op.f("fk_prompt_runs_project_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("operation_key", name=op.f("pk_prompt_runs")),
    )
    with op.batch_alter_table("prompt_runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prompt_runs_project_key"), ["project_key"], unique=False)


def downgrade() -> None:
    """Drops them."""
    with op.batch_alter_table("prompt_runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prompt_runs_project_key"))

    op.drop_table("prompt_runs")
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.drop_column("prompts")

"""The identity of the store, servers that share it, and projects of which the rest is still to be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds tables and columns; what there is stays as it is."""
    op.create_table(
        "store",
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("clean", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_store")),
    )
    op.create_table(
        "replicas",
        sa.Column("replica_id", sa.String(length=32), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("replica_id", name=op.f("pk_replicas")),
    )
    # Not in a batch, which would make the tables anew: dropping the old ones would delete what refers to them.
    op.add_column("operations", sa.Column("owner", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("projects", sa.Column("trash", sa.Boolean(), nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("placer", sa.String(length=32), nullable=False, server_default=""))


def downgrade() -> None:
    """Drops them."""
    op.drop_column("projects", "placer")
    op.drop_column("projects", "trash")
    op.drop_column("operations", "owner")
    op.drop_table("replicas")
    op.drop_table("store")

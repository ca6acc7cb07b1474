"""Projects whose votes are fitted whenever they change."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column; no project is followed yet."""
    # Not in a batch, which would make the table anew: dropping the old one would delete what refers to it.
    op.add_column("projects", sa.Column("follow", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("projects", "follow")

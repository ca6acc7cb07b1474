"""What Alembic runs to migrate: the connection is that of Database, in its transaction."""

from alembic import context

from weaklabel_server.store import schema

context.configure(
    connection=context.config.attributes["connection"], target_metadata=schema.metadata, render_as_batch=True
)
context.run_migrations()

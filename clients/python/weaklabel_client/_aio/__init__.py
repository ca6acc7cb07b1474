"""The driver for asyncio: a connection, and what is built on it. `weaklabel_client._sync` mirrors it."""

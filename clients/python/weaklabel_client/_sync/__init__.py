"""The driver for code that waits: a connection, and what is built on it. `weaklabel_client._aio` mirrors it."""

"""The life of operations: whose turn it is, which server runs one, and how far it is."""

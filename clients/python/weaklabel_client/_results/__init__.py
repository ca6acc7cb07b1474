"""What the client gives back. Nothing here sends or receives."""

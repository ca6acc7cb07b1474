"""Builds the requests of a prompt: messages, the answers and the examples shown."""

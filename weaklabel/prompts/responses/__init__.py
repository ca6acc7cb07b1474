"""Reads responses: an answer of the map or an error, and votes out of answers."""

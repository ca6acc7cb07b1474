"""Readers and writers of the field's own formats, a module each."""

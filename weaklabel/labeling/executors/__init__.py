"""Executors: what runs labeling functions over items, one engine per file."""

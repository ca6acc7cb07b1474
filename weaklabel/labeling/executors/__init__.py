"""Executors: what runs labeling functions over items, one engine a file."""

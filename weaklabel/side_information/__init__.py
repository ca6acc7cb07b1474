"""Side information: what is known of items and sources beside their votes."""

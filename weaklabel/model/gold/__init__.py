"""Known labels: a correction of the soft labels of the votes alone, and which items to label next."""

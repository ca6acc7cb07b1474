"""Dependence between sources, measured before EM: copies, and whether conditional independence is refuted."""

"""Preparation: from votes to the rows that EM starts from, and what is known of sources before it."""

"""Vote layouts: how votes lie in memory, behind two products, X @ W and X^T @ q."""

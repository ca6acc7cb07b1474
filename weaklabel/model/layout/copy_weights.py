"""The weight of each vote beside its copies: copies that vote on the same item share the weight of one vote."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.numerics.compiled import compiled
from weaklabel.votes import Votes

SILENCING = 1e5
"""So many copies or more: the vote weighs nothing. Sources are silenced by the diagonal of their scores."""


def vote_weights(votes: Votes, copies: sp.csr_array[np.float64] | None) -> NDArray[np.float32] | None:
    """[V] weight of each vote, in the order of `votes.triples()`: one over the number of copies on the item, with it.

    Copies that differ count for one all the same: what one changes in copying another is its noise.

    None where no source has copies.

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other; None for no copies.
    """
    if copies is None or copies.nnz == 0:
        return None
    rows, sources, _ = votes.triples()
    if len(rows) == 0:
        return None
    voting = sp.csr_array((np.ones(len(rows)), (rows, sources)), shape=(votes.n_items, votes.n_sources))
    n_copies = np.asarray((voting @ copies).tocsr()[rows, sources]).ravel()
    return np.asarray(np.where(n_copies < SILENCING, 1 / (1 + n_copies), 0), np.float32)


@compiled
def cell_weights(codes: Int[Array, "U M"], copies: Float[Array, "M M"]) -> Float[Array, "U M"]:
    """Weight of each cell's vote: one over the number of copies that vote on the item, itself included."""
    n_copies = (codes >= 0).astype(copies.dtype) @ copies
    return jnp.where(n_copies < SILENCING, 1 / (1 + n_copies), 0)

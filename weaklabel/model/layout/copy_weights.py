"""The weight of each vote beside its copies: copies that cast the same vote share the weight of one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.numerics.padding import SMALLEST_BUCKET, bucket
from weaklabel.votes import Votes

SILENCING = 1e5
"""So many copies or more: the vote weighs nothing. Sources are silenced by the diagonal of their scores."""
MOST_PAIRS = 2**24
"""Rows x M x M that are looked at together, times the smallest bucket."""


def vote_weights(votes: Votes, copies: sp.csr_array[np.float64] | None) -> NDArray[np.float32] | None:
    """[V] weight of each vote, in the order of `votes.triples()`: one over the number of copies that cast it too.

    None where no source has copies.

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other; None for no copies.
    """
    if copies is None or copies.nnz == 0:
        return None
    rows, sources, labels = votes.triples()
    if len(rows) == 0:
        return None
    n_symbols = votes.n_classes + len(votes.symbols)
    place = rows.astype(np.int64) * n_symbols + labels
    one_hot = sp.csr_array((np.ones(len(rows)), (place, sources)), shape=(votes.n_items * n_symbols, votes.n_sources))
    n_copies = np.asarray((one_hot @ copies).tocsr()[place, sources])
    return np.asarray(np.where(n_copies < SILENCING, 1 / (1 + n_copies), 0), np.float32)


@jax.jit
def cell_weights(codes: Int[Array, "U M"], copies: Float[Array, "M M"]) -> Float[Array, "U M"]:
    """Weight of each cell's vote: one over the number of copies that cast it too, itself included."""

    def block(_: None, codes: Array) -> tuple[None, Array]:
        same = (codes[:, :, None] == codes[:, None, :]).astype(copies.dtype)
        n_copies = jnp.einsum("umn,mn->um", same, copies)
        return None, jnp.where(n_copies < SILENCING, 1 / (1 + n_copies), 0)

    size = min(codes.shape[0], bucket(MOST_PAIRS // codes.shape[1] ** 2) // SMALLEST_BUCKET)
    blocks = codes.reshape(-1, size, codes.shape[1])
    return jax.lax.scan(block, None, blocks)[1].reshape(codes.shape)

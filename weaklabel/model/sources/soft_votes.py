"""Votes that are probability vectors: a class in mind, each with its probability.

Shapes: V soft votes, U rows, M sources, K classes, S symbols.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import entr, logsumexp

from weaklabel.model.layout.copy_weights import vote_weights
from weaklabel.model.numerics.padding import bucket, to_device
from weaklabel.model.records import SoftVotes
from weaklabel.votes import Votes

BLOCK_VOTES = 4096
"""Soft votes at once: bounds the temporary [votes, K, K]."""


def soft_votes(votes: Votes, copies: sp.csr_array[np.float64] | None = None) -> SoftVotes | None:
    """Votes that are probability vectors, on the device; None where there are none.

    Args:
        votes: U rows.
        copies: [M, M] how surely sources copy each other; None for votes that count wholly.
    """
    first = votes.n_classes + len(votes.symbols.sets)
    if not len(votes.symbols.soft):
        return None
    rows, sources, labels = votes.triples()
    weights = vote_weights(votes, copies)
    chosen = np.flatnonzero(labels >= first)
    size = bucket(len(chosen))

    def on_device(values: NDArray[Any], fill: float = 0) -> Array:
        return to_device(values, size, fill)

    p = on_device(votes.symbols.soft[labels[chosen] - first].astype(np.float32), 1 / votes.n_classes)
    return SoftVotes(
        rows=on_device(rows[chosen].astype(np.int32), bucket(votes.n_items)),
        sources=on_device(sources[chosen].astype(np.int32)),
        probabilities=p,
        information=information(p),
        shares=on_device(np.ones(len(chosen), np.float32) if weights is None else weights[chosen]),
    )


def information(probabilities: Float[Array, "V K"]) -> Float[Array, " V"]:
    """How much of a vote a distribution over the classes is: 1 less its entropy over log K, so 1 for a class and 0 for
    the uniform one.
    """
    n_classes = probabilities.shape[1]
    entropy = -jax.scipy.special.xlogy(probabilities, probabilities).sum(1)
    return (1 - entropy / jnp.log(n_classes)).clip(0, 1)


def soft_log_likelihood(
    soft: SoftVotes, log_likelihoods: Float[Array, "M S C"], total: Float[Array, "U C"]
) -> Float[Array, "U C"]:
    """`total` and the log-likelihood of the soft votes of each row.

    The likelihoods of plain votes, mixed by the vote's probabilities, over the uniform mixture to the power of what the
    vote lacks in information: nothing for a uniform vote, that of the plain vote for a certain one.
    """
    n_classes = soft.probabilities.shape[1]
    plain = log_likelihoods[:, :n_classes]
    uniform = jax.scipy.special.logsumexp(plain, axis=1) - jnp.log(n_classes)

    def block(total: Array, part: SoftVotes) -> tuple[Array, None]:
        mixed = jax.scipy.special.logsumexp(plain[part.sources], axis=1, b=part.probabilities[:, :, None])
        of_votes = mixed - (1 - part.information[:, None]) * uniform[part.sources]
        return total.at[part.rows].add(of_votes * part.shares[:, None], mode="drop"), None

    return jax.lax.scan(block, total, blocks(soft))[0]


def soft_counts(
    soft: SoftVotes,
    confusion: Float[Array, "M K K"],
    responsibilities: Float[Array, "U K"],
    counts: Float[Array, "M K K"],
) -> Float[Array, "M K K"]:
    """`counts` and the expected plain votes behind the soft ones; responsibilities weighted."""

    def block(total: Array, part: SoftVotes) -> tuple[Array, None]:
        of_row = responsibilities.at[part.rows].get(mode="fill", fill_value=0) * part.information[:, None]
        in_mind = part.probabilities[:, :, None] * confusion[part.sources]
        in_mind = in_mind / in_mind.sum(1, keepdims=True).clip(1e-9)
        return total.at[part.sources].add(in_mind * of_row[:, None, :]), None

    return jax.lax.scan(block, counts, blocks(soft))[0]


def log_likelihood_of_soft(p: NDArray[np.float64], plain: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K] log-likelihood of one soft vote [K] of a source whose plain votes have these [K, K]; on the host."""
    n_classes = len(p)
    unsaid = float(entr(p / p.sum()).sum()) / np.log(n_classes)
    uniform = logsumexp(plain, axis=0) - np.log(n_classes)
    return np.asarray(logsumexp(plain, axis=0, b=p[:, None]) - unsaid * uniform)


def blocks(soft: SoftVotes) -> SoftVotes:
    """The soft votes in blocks, a leading axis for each array."""
    size = min(soft.rows.shape[0], BLOCK_VOTES)
    return SoftVotes(*(leaf.reshape(-1, size, *leaf.shape[1:]) for leaf in soft))

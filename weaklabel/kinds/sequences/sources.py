"""P(vote | tag) of sources that tag tokens: annotators, whose "O" is a vote, and functions, whose silence is none.

An annotator errs in runs: where it has missed the first token of a span, it misses the next. So its votes are given
the tag and its own vote before (Simpson and Gurevych 2019, arXiv:1811.00780). A function is read by P(tag | vote):
most vote for one type; of all functions together, whether any marks a token is one more source, "covered". Without it
each function's silence would count as a vote for "O", and many silent functions would outvote the one that knows.

Shapes: U distinct pairs of rows, M sources, K tags, S symbols: 0 says nothing, 1 + before * K + vote is a vote, with K
in place of the vote before where there is none (functions always).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

SHRINKAGE = 20.0
"""Votes by which a table is shrunk towards the one that it refines: given the vote before to not, a source to all."""
RIGHT = 0.8
"""Probability of a right vote, in the one pseudo-vote for each tag that all sources together start from."""
LEAST = 1e-12
"""Probability of a vote, at least."""


class Tables(NamedTuple):
    """Log-likelihoods of votes."""

    votes: Float[Array, "M S K"]
    """0 for the symbol that says nothing."""
    covered: Float[Array, "2 K"]
    """Of no function, and of any, marking the token."""


class Tokens(NamedTuple):
    """Rows of votes, or the distinct ones of them."""

    symbols: Int[Array, "M U"]
    weight: Float[Array, "M U"]
    """Of each vote: less than 1 where copies cast it as well."""
    covered: Int[Array, " U"]
    """1 where a function marks the token, 0 where none does, 2 where there are no functions."""


class Counts(NamedTuple):
    """Expected counts; they add up over rows."""

    votes: Float[Array, "M S K"]
    covered: Float[Array, "2 K"]
    tags: Float[Array, " K"]


def symbols_of(
    codes: NDArray[np.signedinteger], first: NDArray[np.bool_], annotator: NDArray[np.bool_], n_tags: int
) -> NDArray[np.int32]:
    """[T, M] symbols of tags.

    Args:
        codes: [T, M] tags, -1 abstains.
        first: [T] tokens with which documents begin.
        annotator: [M].
        n_tags: K.
    """
    before = np.concatenate([codes[:1], codes[:-1]]).astype(np.int32)
    before[(before < 0) | first[:, None] | ~annotator] = n_tags
    says = (codes > 0) | ((codes == 0) & annotator)
    return np.where(says, 1 + before * n_tags + codes, 0).astype(np.int32)


def log_likelihood(tokens: Tokens, tables: Tables) -> Float[Array, "U K"]:
    """Log-likelihood of each row's votes in each tag."""

    def add(total: Array, source: tuple[Array, Array, Array]) -> tuple[Array, None]:
        table, symbols, weight = source
        return total + weight[:, None] * table[symbols], None

    covered = jnp.concatenate([tables.covered, jnp.zeros_like(tables.covered[:1])])
    total: Array = jax.lax.scan(add, covered[tokens.covered], (tables.votes, tokens.symbols, tokens.weight))[0]
    return total


def count(tokens: Tokens, responsibilities: Float[Array, "U K"], n_symbols: int) -> Counts:
    """Expected counts of votes in each tag."""
    n_tags = responsibilities.shape[1]
    empty = jnp.zeros((n_symbols, n_tags), responsibilities.dtype)
    votes = jax.lax.map(lambda symbols: empty.at[symbols].add(responsibilities), tokens.symbols)
    covered = jnp.zeros((3, n_tags), responsibilities.dtype).at[tokens.covered].add(responsibilities)
    return Counts(votes, covered[:2], responsibilities.sum(0))


def fit_tables(counts: Counts, annotator: Bool[Array, " M"]) -> Tables:
    """Tables that fit the counts, shrunk."""
    n_tags = counts.tags.shape[0]
    pairs = counts.votes[:, 1:].reshape(-1, n_tags + 1, n_tags, n_tags)  # before, vote, tag
    guess = RIGHT * jnp.eye(n_tags) + (1 - RIGHT) / n_tags
    generative = _generative(pairs, annotator, guess)
    discriminative = _discriminative(pairs[:, n_tags], annotator, guess, counts.tags)
    chosen = jnp.where(annotator[:, None, None, None], generative, discriminative[:, None])
    votes = jnp.concatenate([jnp.zeros_like(counts.votes[:, :1]), chosen.reshape(counts.votes[:, 1:].shape)], 1)
    covered = counts.covered + 1
    return Tables(votes, jnp.log(covered / covered.sum(0, keepdims=True)))


def _generative(pairs: Float[Array, "M B K K"], annotator: Bool[Array, " M"], guess: Float[Array, "K K"]) -> Array:
    """Log P(vote | vote before, tag)."""
    own = pairs.sum(1)
    everyone = jnp.where(annotator[:, None, None], own, 0).sum(0) + guess
    everyone = everyone / everyone.sum(0, keepdims=True)
    own = own + SHRINKAGE * everyone[None]
    own = own / own.sum(1, keepdims=True)
    refined = pairs + SHRINKAGE * own[:, None]
    return jnp.log((refined / refined.sum(2, keepdims=True)).clip(LEAST))


def _discriminative(
    votes: Float[Array, "M K K"], annotator: Bool[Array, " M"], guess: Float[Array, "K K"], tags: Float[Array, " K"]
) -> Array:
    """Log P(tag | vote) / P(tag)."""
    everyone = jnp.where(annotator[:, None, None], 0, votes).sum(0) + guess
    everyone = everyone / everyone.sum(1, keepdims=True)
    refined = votes + SHRINKAGE * everyone[None]
    balance = (tags + 1) / (tags + 1).sum()
    return jnp.log((refined / refined.sum(2, keepdims=True) / balance[None, None]).clip(LEAST))

"""Soft and hard labels of documents by a fitted model, in blocks of whole documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.kinds.sequences.chain import IMPOSSIBLE, LEAST_LIKELY, Chain, best_path
from weaklabel.kinds.sequences.em import Grid, Shape, Shares, posterior
from weaklabel.kinds.sequences.fitted import Fitted
from weaklabel.kinds.sequences.lanes import place_of_tokens
from weaklabel.kinds.sequences.preparation import on_device, read_rows
from weaklabel.kinds.sequences.schemes import Scheme
from weaklabel.kinds.sequences.sources import Tables, Tokens, log_likelihood
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import single, to_device

Decoding = Literal["viterbi", "marginal"]
UNIFORM = 0.06
"""Share of the uniform distribution in the soft labels of tokens that functions alone mark."""
BLOCK_TOKENS = 2**19
"""Tokens of a block, unless one document has more."""


class Reading(NamedTuple):
    """How soft labels follow from votes, beside tables and chain."""

    unmarked: Float[Array, " K"]
    fallback: Float[Array, ""]
    """1 where labels are vote shares."""
    marginal: Float[Array, ""]
    """1 where the path is that of the largest sum of marginal probabilities, 0 for the likeliest."""


class Labels(NamedTuple):
    """Of T tokens."""

    soft: NDArray[np.float32]
    """[T, K]"""
    hard: NDArray[np.int32]
    """[T]"""


@under_own_settings
def label(
    codes: NDArray[np.signedinteger],
    lengths: NDArray[np.int64],
    fitted: Fitted,
    scheme: Scheme,
    decoding: Decoding,
) -> Labels:
    """Soft and hard labels of documents."""
    n_tags = len(scheme.tags)
    labels = Labels(np.empty((len(codes), n_tags), np.float32), np.empty(len(codes), np.int32))
    tables = Tables(single(fitted.votes), single(fitted.covered))
    chain = Chain(single(fitted.first), single(fitted.next), single(scheme.last.astype(np.float32)))
    shape = Shape(to_device(scheme.first), to_device(scheme.legal), to_device(scheme.last))
    reading = Reading(
        single(fitted.unmarked), single(float(fitted.diagnostics.fallback)), single(float(decoding == "marginal"))
    )
    for begin, end, sizes in _blocks(lengths):
        rows = read_rows(codes[begin:end], sizes, fitted.annotator, n_tags)
        gold = np.full(end - begin, -1, np.int16)
        grid, tokens, held = on_device(rows, fitted.annotator, fitted.copies, gold, n_tags, saturate=True)
        soft, hard = _label(grid, tokens, held, tables, chain, shape, reading)
        lane = place_of_tokens(rows.lanes, end - begin)
        for target, values in zip(labels, (soft, hard), strict=True):
            target[begin:end] = np.asarray(values).reshape(-1, *values.shape[2:])[lane]
    return labels


def _blocks(lengths: NDArray[np.int64]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """First and last token of blocks of whole documents, and the documents' lengths."""
    ends, done, begin = np.cumsum(lengths), 0, 0
    while done < len(lengths):
        after = max(int(np.searchsorted(ends, begin + BLOCK_TOKENS, side="right")), done + 1)
        yield begin, int(ends[after - 1]), lengths[done:after]
        done, begin = after, int(ends[after - 1])


@compiled
def _label(
    grid: Grid, tokens: Tokens, held: Shares, tables: Tables, chain: Chain, shape: Shape, reading: Reading
) -> tuple[Float[Array, "L B K"], Array]:
    """Soft labels and the best path."""
    rows = log_likelihood(tokens, tables)
    n_tags = rows.shape[1]

    def by_token(values: Array) -> Array:
        return jnp.concatenate([values, jnp.zeros_like(values[:1])])[grid.row]

    shares, alone = by_token(held.shares), by_token((held.weight > 0).astype(jnp.float32))[:, :, None]
    marked = by_token((tokens.covered == 1).astype(jnp.float32))[:, :, None]
    weight = jnp.where(reading.fallback > 0, 1.0, by_token(held.weight)[:, :, None])
    p = (1 - weight) * posterior(grid, rows, chain).probabilities + weight * shares
    mixed = (1 - UNIFORM) * p + UNIFORM / n_tags
    missed = (1 - reading.unmarked.sum()) * p + reading.unmarked[None, None]
    soft = jnp.where(alone > 0, jnp.where(marked > 0, mixed, missed), p)

    score = jnp.where(reading.fallback > 0, jnp.log(shares), by_token(rows))
    score = jnp.maximum(score - score.max(2, keepdims=True), LEAST_LIKELY)
    score = jnp.where(reading.marginal > 0, p, score)
    score = jnp.where(grid.real[:, :, None], score, 0)
    known = (reading.marginal > 0) | (reading.fallback > 0)
    first = jnp.where(shape.first, jnp.where(known, 0.0, jnp.log(chain.first)), IMPOSSIBLE)
    step = jnp.where(shape.legal, jnp.where(known, 0.0, jnp.log(chain.next)), IMPOSSIBLE)
    return soft, best_path(score, grid.starts, grid.real, first, step, jnp.where(shape.last, 0.0, IMPOSSIBLE))

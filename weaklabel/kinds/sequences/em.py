"""EM over the tags of documents, as one compiled loop.

It is a loop of its own, and not that of `weaklabel.model.em`: there, votes are a linear operator on rows whose order
says nothing and which are kept once, whereas here a vote is given the one before; and calibration there takes items one
by one.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from weaklabel.kinds.sequences.chain import LEAST_LIKELY, Chain, ChainPosterior, forward_backward
from weaklabel.kinds.sequences.sources import Counts, Tables, Tokens, count, fit_tables, log_likelihood
from weaklabel.model.numerics.compiled import compiled

GOLD_START = 10.0
"""Tokens that a gold token counts as where EM starts: where most sources err alike, it must not start from them."""


class Grid(NamedTuple):
    """Tokens in lanes."""

    row: Int[Array, "L B"]
    """Which of the distinct rows a token is; their number where a lane is empty."""
    gold: Int[Array, "L B"]
    """Known tag; -1 where unknown."""
    starts: Bool[Array, "L B"]
    real: Bool[Array, "L B"]


class Shares(NamedTuple):
    """The vote-share prior of the distinct rows."""

    shares: Float[Array, "U K"]
    weight: Float[Array, " U"]
    """Of the shares beside the posterior."""


class Shape(NamedTuple):
    """What the scheme allows."""

    first: Bool[Array, " K"]
    legal: Bool[Array, "K K"]
    last: Bool[Array, " K"]


class Parameters(NamedTuple):
    """What EM estimates."""

    tables: Tables
    chain: Chain


class Progress(NamedTuple):
    """Between two iterations."""

    parameters: Parameters
    posterior: Float[Array, "L B K"]
    iteration: Int[Array, ""]
    change: Float[Array, ""]
    objective: Float[Array, " max_iter"]


def fit_chain(firsts: Array, pairs: Array, shape: Shape) -> Chain:
    """Transition probabilities with one pseudo-count for each legal one."""
    first = jnp.where(shape.first, firsts + 1, 0)
    follows = jnp.where(shape.legal, pairs + 1, 0)
    return Chain(first / first.sum(), follows / follows.sum(1, keepdims=True), shape.last.astype(jnp.float32))


def clamped(values: Float[Array, "L B K"], gold: Int[Array, "L B"]) -> Array:
    """Log-likelihoods with that of known tags: all others are as unlikely as can be."""
    known = jnp.where(jnp.arange(values.shape[2])[None, None] == gold[:, :, None], 0.0, 2 * LEAST_LIKELY)
    return jnp.where(gold[:, :, None] >= 0, known, values)


def posterior(grid: Grid, rows: Float[Array, "U K"], chain: Chain) -> ChainPosterior:
    """Posterior of all documents by the log-likelihoods of the distinct rows."""
    padded = jnp.concatenate([rows, jnp.zeros_like(rows[:1])])
    return forward_backward(clamped(padded[grid.row], grid.gold), grid.starts, grid.real, chain)


def _advance(grid: Grid, tokens: Tokens, held: Shares, annotator: Array, shape: Shape, state: Progress) -> Progress:
    rows = log_likelihood(tokens, state.parameters.tables)
    found = posterior(grid, rows, state.parameters.chain)
    after = _held(found.probabilities, grid, held)
    counts = _counts(after, grid, tokens, state.parameters.tables.votes.shape[1])
    chain = fit_chain(found.firsts, found.pairs, shape)
    n_tokens = grid.real.sum().astype(jnp.float32)
    change = jnp.where(grid.real[:, :, None], jnp.abs(after - state.posterior), 0).sum() / 2 / n_tokens
    return Progress(
        Parameters(fit_tables(counts, annotator), chain),
        after,
        state.iteration + 1,
        change,
        state.objective.at[state.iteration].set(found.log_marginal / n_tokens),
    )


def _held(p: Float[Array, "L B K"], grid: Grid, held: Shares) -> Array:
    """The posterior with its share of the vote-share prior."""
    shares = jnp.concatenate([held.shares, jnp.zeros_like(held.shares[:1])])[grid.row]
    weight = jnp.concatenate([held.weight, jnp.zeros(1)])[grid.row]
    weight = jnp.where(grid.gold >= 0, 0, weight)[:, :, None]
    return (1 - weight) * p + weight * shares


def _counts(p: Float[Array, "L B K"], grid: Grid, tokens: Tokens, n_symbols: int) -> Counts:
    n_rows = tokens.symbols.shape[1]
    by_row = jnp.zeros((n_rows, p.shape[2])).at[grid.row.ravel()].add(p.reshape(-1, p.shape[2]), mode="drop")
    return count(tokens, by_row, n_symbols)


@compiled
def before_first(
    grid: Grid,
    tokens: Tokens,
    held: Shares,
    annotator: Bool[Array, " M"],
    shape: Shape,
    objective: Float[Array, " max_iter"],
) -> Progress:
    """The loop, about to begin with the vote shares.

    Args:
        grid: of the documents.
        tokens: distinct rows of votes.
        held: their vote shares.
        annotator: [M] sources whose "O" is a vote.
        shape: of the scheme.
        objective: [max_iter] NaN.
    """
    shares = jnp.concatenate([held.shares, jnp.zeros_like(held.shares[:1])])
    known = jax.nn.one_hot(grid.gold, shares.shape[1], dtype=jnp.float32)
    p = jnp.where(grid.gold[:, :, None] >= 0, known, shares[grid.row])
    inner = (grid.real[1:] & ~grid.starts[1:])[:, :, None]
    pairs = jnp.einsum("lbi,lbj->ij", p[:-1], jnp.where(inner, p[1:], 0))
    firsts = jnp.where((grid.starts & grid.real)[:, :, None], p, 0).sum((0, 1))
    n_symbols = shares.shape[1] * (shares.shape[1] + 1) + 1
    weight = jnp.where(grid.gold >= 0, GOLD_START, 1.0)[:, :, None]
    tables = fit_tables(_counts(weight * p, grid, tokens, n_symbols), annotator)
    parameters = Parameters(tables, fit_chain(firsts, pairs, shape))
    # A copy: the loop takes the state's memory.
    return Progress(parameters, p, jnp.int32(0), jnp.float32(jnp.inf), jnp.array(objective, copy=True))


@partial(compiled, donate_argnames="state")
def run_em(
    grid: Grid,
    tokens: Tokens,
    held: Shares,
    annotator: Bool[Array, " M"],
    shape: Shape,
    state: Progress,
    stop_at: Int[Array, ""],
    tol: Float[Array, ""],
) -> Progress:
    """EM until the posterior settles, or until iteration `stop_at`.

    Args:
        grid: as in `before_first`.
        tokens: as in `before_first`.
        held: as in `before_first`.
        annotator: as in `before_first`.
        shape: as in `before_first`.
        state: where to begin.
        stop_at: called again with a later one, it goes on where it was.
        tol: mean total-variation change of a token's posterior at which EM ends.
    """
    return jax.lax.while_loop(
        lambda state: (state.iteration < stop_at) & (state.change >= tol),
        lambda state: _advance(grid, tokens, held, annotator, shape, state),
        state,
    )

"""Latent states of items: from those on which all agree to those on which people differ. EM in one compiled loop.

Of source j and state l, P(vote k) is proportional to exp(level_lk + leaning_jk): a Rasch model for several classes with
a discrete distribution of items (a latent class model, Lazarsfeld and Henry 1968), fitted from vote counts [M, L, K]
that add up. There are more states than classes: a contested item is a state of its own, and no doubt about a truth.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.numerics.compiled import compiled

STATES_PER_CLASS = 2
LEAST_PURITY = 0.5
MOST_PURITY = 0.95
LEANING_PRIOR = 2.0
LEVEL_PRIOR = 0.1
TABLE_VOTES = 20.0
SHARE_PRIOR = 1.0
NEWTON_STEPS = 2
DAMPING = 0.7


class VoteCells(NamedTuple):
    """J votes on the device, in the order of items; padded votes are not present."""

    item: Int[Array, " J"]
    source: Int[Array, " J"]
    label: Int[Array, " J"]
    present: Float[Array, " J"]


class States(NamedTuple):
    """What EM estimates."""

    share: Float[Array, " L"]
    """Of the items, in each state."""
    level: Float[Array, "L K"]
    """Logits of the usual source's votes in each state."""
    leaning: Float[Array, "M K"]
    """What a source adds to them."""
    counts: Float[Array, "M L K"]
    """Expected votes of each source, in each state, for each class."""


class Progress(NamedTuple):
    """How far the loop is."""

    states: States
    bound: Float[Array, ""]
    change: Float[Array, ""]
    iteration: Int[Array, ""]


def parametric(states: States) -> Float[Array, "M L K"]:
    """Log of P(vote | state) of each source by level and leaning."""
    return jax.nn.log_softmax(states.level[None] + states.leaning[:, None, :], axis=2)


def log_tables(states: States) -> Float[Array, "M L K"]:
    """Log of P(vote | state) of each source: its own counts, shrunk to `parametric` by `TABLE_VOTES`."""
    prior = TABLE_VOTES * jnp.exp(parametric(states))
    return jnp.log((states.counts + prior) / (states.counts.sum(2, keepdims=True) + TABLE_VOTES))


def posterior(states: States, votes: VoteCells, n_items: int) -> tuple[Float[Array, "N L"], Float[Array, " N"]]:
    """P(state | votes) of each item, and the log likelihood of its votes."""
    of_votes = log_tables(states)[votes.source, :, votes.label] * votes.present[:, None]
    joint = jax.ops.segment_sum(of_votes, votes.item, n_items, indices_are_sorted=True) + jnp.log(states.share)[None]
    total = jax.nn.logsumexp(joint, axis=1)
    return jnp.exp(joint - total[:, None]), total


def m_step(states: States, responsibilities: Array, votes: VoteCells, voted: Array) -> States:
    """Counts, shares, and damped Newton steps of levels and leanings."""
    n_sources, n_classes = states.leaning.shape
    n_states = len(states.share)
    size = (responsibilities * voted[:, None]).sum(0) + SHARE_PRIOR
    weights = responsibilities[votes.item] * votes.present[:, None]
    sums = jax.ops.segment_sum(weights, votes.source * n_classes + votes.label, n_sources * n_classes)
    counts = sums.reshape(n_sources, n_classes, n_states).swapaxes(1, 2)
    states = states._replace(counts=counts, share=size / size.sum())

    def moved(_: int, now: States) -> States:
        residual, curvature = _moments(now)
        gradient = residual.sum(0) - LEVEL_PRIOR * now.level
        now = now._replace(level=now.level + DAMPING * gradient / (curvature.sum(0) + 0.5))
        residual, curvature = _moments(now)
        gradient = residual.sum(1) - LEANING_PRIOR * now.leaning
        return now._replace(leaning=now.leaning + DAMPING * gradient / (curvature.sum(1) + LEANING_PRIOR))

    stepped: States = jax.lax.fori_loop(0, NEWTON_STEPS, moved, states)
    return stepped


def _moments(states: States) -> tuple[Array, Array]:
    chance, size = jnp.exp(parametric(states)), states.counts.sum(2, keepdims=True)
    return states.counts - size * chance, size * chance * (1 - chance)


def start(pooled: Float[Array, " K"], n_sources: int) -> States:
    """A state for the pooled votes, and some for each class, up to nearly pure ones."""
    n_classes = len(pooled)
    purity = jnp.linspace(LEAST_PURITY, MOST_PURITY, STATES_PER_CLASS)
    pure = (1 - purity)[None, :, None] * pooled[None, None] + purity[None, :, None] * jnp.eye(n_classes)[:, None]
    level = jnp.log(jnp.concatenate([pooled[None], pure.reshape(-1, n_classes)]))
    n_states = len(level)
    return States(
        share=jnp.full(n_states, 1 / n_states),
        level=level - level.mean(1, keepdims=True),
        leaning=jnp.zeros((n_sources, n_classes)),
        counts=jnp.zeros((n_sources, n_states, n_classes)),
    )


@partial(compiled, static_argnames=("n_items", "max_iter"))
def run(first: States, votes: VoteCells, tol: Array, *, n_items: int, max_iter: int) -> Progress:
    """EM until the log likelihood per vote rises by at most `tol`."""
    voted = jnp.minimum(jax.ops.segment_sum(votes.present, votes.item, n_items, indices_are_sorted=True), 1.0)
    n_votes = jnp.maximum(votes.present.sum(), 1.0)

    def goes_on(progress: Progress) -> Array:
        return (progress.iteration < max_iter) & (progress.change > tol)

    def step(progress: Progress) -> Progress:
        responsibilities, total = posterior(progress.states, votes, n_items)
        states = m_step(progress.states, responsibilities, votes, voted)
        bound = (total * voted).sum() / n_votes
        change = jnp.where(progress.iteration < 3, jnp.inf, jnp.abs(bound - progress.bound))
        return Progress(states, bound, change, progress.iteration + 1)

    begin = Progress(first, jnp.asarray(-jnp.inf), jnp.asarray(jnp.inf), jnp.asarray(0))
    return jax.lax.while_loop(goes_on, step, begin)


@partial(compiled, static_argnames=("n_items",))
def responsibilities(states: States, votes: VoteCells, *, n_items: int) -> Float[Array, "N L"]:
    """P(state | votes) of each item."""
    return posterior(states, votes, n_items)[0]

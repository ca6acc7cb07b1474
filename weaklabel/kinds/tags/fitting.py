"""Weighted shares of yes, and the weights of sources on tags, in turn, in one compiled loop.

A cell's share of yes is the truth that answers are counted against; the log odds that a source's answers then carry,
shrunk from source x tag to its source and its tag, weigh its votes in the next share. A share cannot drift off as the
posterior of EM does where the sources of a tag are many or err alike. Iterated weighted votes:
Li and Yu 2014, arXiv:1411.4086.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.kinds.tags import settings
from weaklabel.kinds.tags.cells import ANSWERS, NO, OMITTED, YES
from weaklabel.model.numerics.compiled import compiled


class Answers(NamedTuple):
    """J answers on the device."""

    cell: Int[Array, " J"]
    pair: Int[Array, " J"]
    answer: Int[Array, " J"]
    present: Float[Array, " J"]
    """1 for an answer, 0 for padding."""


class Sources(NamedTuple):
    """P pairs of source and tag."""

    source: Int[Array, " P"]
    tag: Int[Array, " P"]
    omits: Float[Array, " P"]
    """1 where the source is silent instead of saying no."""
    elsewhere: Float[Array, "P 3"]
    """Answers on cells that nobody voted on, which are taken as false."""


class State(NamedTuple):
    """What the loop estimates."""

    weight: Float[Array, " P"]
    omission: Float[Array, ""]
    """Weight of an omission beside a vote."""
    share: Float[Array, " C"]
    change: Float[Array, ""]
    iteration: Int[Array, ""]
    log_ratio: Float[Array, "P 3"]
    """log P(answer | tag holds) / P(answer | it does not)."""


def shares(answers: Answers, weight: Array, omission: Array, n_cells: int) -> Array:
    """[C] weighted share of yes, with the votes of the prior."""
    each = answers.present * weight[answers.pair] * jnp.where(answers.answer == OMITTED, omission, 1.0)
    yes = jnp.where(answers.answer == YES, each, 0.0)
    sums = jax.ops.segment_sum(jnp.stack([each, yes], 1), answers.cell, n_cells, indices_are_sorted=True)
    return (sums[:, 1] + settings.SHARE_PRIOR / 2) / (sums[:, 0] + settings.SHARE_PRIOR)


def log_rates(counts: Array, sources: Sources, n_sources: int, n_tags: int) -> Array:
    """[P, 3] log rates of the answers, shrunk to those of the source and of the tag together."""
    prior = jnp.asarray(settings.RATE_PRIOR, jnp.float32)
    pooled = (counts.sum(0) + prior) / (counts.sum() + prior.sum())

    def of(index: Array, size: int) -> Array:
        sums = jax.ops.segment_sum(counts, index, size)
        return (sums + settings.POOLED_VOTES * pooled[None, :]) / (sums.sum(1, keepdims=True) + settings.POOLED_VOTES)

    both = of(sources.source, n_sources)[sources.source] * of(sources.tag, n_tags)[sources.tag] / pooled[None, :]
    both /= both.sum(1, keepdims=True)
    total = counts.sum(1, keepdims=True) + settings.PAIR_VOTES
    return jnp.log((counts + settings.PAIR_VOTES * both) / total)


@partial(compiled, static_argnames=("n_cells",))
def before_first(answers: Answers, sources: Sources, *, n_cells: int) -> State:
    """The loop, about to begin with votes that all weigh the same."""
    n_pairs = len(sources.source)
    ones = jnp.ones(n_pairs, jnp.float32)
    one = jnp.asarray(1.0, jnp.float32)
    return State(
        weight=ones,
        omission=one,
        share=shares(answers, ones, one, n_cells),
        change=one,
        iteration=jnp.asarray(0, jnp.int32),
        log_ratio=jnp.zeros((n_pairs, ANSWERS), jnp.float32),
    )


@partial(compiled, static_argnames=("n_sources", "n_tags"))
def run(
    begin: State,
    answers: Answers,
    sources: Sources,
    known: Float[Array, " C"],
    stop_at: Array,
    tol: Array,
    *,
    n_sources: int,
    n_tags: int,
) -> State:
    """The loop, until no share moves by more than `tol`, or until round `stop_at`.

    Args:
        begin: where to begin.
        answers: the answers.
        sources: the pairs.
        known: truth of cells with gold, -1 elsewhere.
        stop_at: called again with a later one, it goes on where it was.
        tol: see above.
        n_sources: M.
        n_tags: K.
    """
    n_pairs, n_cells = len(sources.source), len(begin.share)
    slot = answers.pair * ANSWERS + answers.answer
    total = jax.ops.segment_sum(answers.present, slot, n_pairs * ANSWERS).reshape(n_pairs, ANSWERS)
    votes = total + sources.elsewhere

    def step(state: State) -> State:
        truth = jnp.where(known >= 0, known, state.share)
        true = jax.ops.segment_sum(answers.present * truth[answers.cell], slot, n_pairs * ANSWERS)
        true = true.reshape(n_pairs, ANSWERS)
        false = jnp.maximum(total - true, 0.0) + sources.elsewhere
        ratio = log_rates(true, sources, n_sources, n_tags) - log_rates(false, sources, n_sources, n_tags)
        other = jnp.where(sources.omits > 0, ratio[:, OMITTED], ratio[:, NO])
        evidence = jnp.maximum(ratio[:, YES] - other, 1e-3)
        used = total.sum(1)
        mean = (used * evidence).sum() / jnp.maximum(used.sum(), 1.0)
        weight = jnp.clip((evidence / mean) ** settings.WEIGHT_POWER, settings.LEAST_WEIGHT, settings.MOST_WEIGHT)
        means = (votes * ratio).sum(0) / jnp.maximum(votes.sum(0), 1e-9)
        learned = jnp.clip(-means[OMITTED] / jnp.maximum(means[YES], 1e-3), settings.LEAST_OMISSION, 1.0)
        omission = learned**settings.OMISSION_POWER
        share = shares(answers, weight, omission, n_cells)
        change = jnp.abs(share - state.share).max()
        return State(
            weight=weight,
            omission=omission,
            share=share,
            change=change,
            iteration=state.iteration + 1,
            log_ratio=ratio,
        )

    return jax.lax.while_loop(lambda s: (s.change > tol) & (s.iteration < stop_at), step, begin)


@partial(compiled, static_argnames=("n_cells",))
def share_of(answers: Answers, weight: Array, omission: Array, *, n_cells: int) -> Array:
    """`shares`, as a program."""
    return shares(answers, weight, omission, n_cells)

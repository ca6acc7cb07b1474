"""One pass of EM over rows that need not fit in memory: an E-step and its counts.

Counts add up, so chunks, devices and hosts each make their own, and the M-step follows on the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.em.e_step import e_step_by_row
from weaklabel.model.em.m_step import statistics
from weaklabel.model.em.rows import describe, mark_gold
from weaklabel.model.layout.dense import DenseLayout
from weaklabel.model.layout.packed import PackedLayout
from weaklabel.model.numerics.compute_once import kept
from weaklabel.model.records import Params, Statistics

CHECKED = 3
"""Votes on an item, from which on they check each other."""


class Swept(NamedTuple):
    """What a pass adds up."""

    statistics: Statistics
    n_votes: Float[Array, " M"]
    """Votes of each source, weighted as in the counts."""
    spoken: Float[Array, " M"]
    """Items on which each source voted."""
    anchored: Float[Array, " K"]
    """Number of items of each class by the anchors."""
    log_evidence: Float[Array, ""]
    """Of the votes."""
    weight: Float[Array, ""]
    """Items in the counts."""
    uncovered: Float[Array, ""]
    """Items without votes."""
    checked: Float[Array, ""]
    """Votes on items with three votes or more, copies counted once."""


class Reading(NamedTuple):
    """How a pass sees rows: what the fit of a sample found."""

    params: Params
    anchor_mass: Float[Array, ""]
    hold: Float[Array, ""]
    gold_weights: Float[Array, " K"]


def sweep(
    layout: DenseLayout | PackedLayout,
    items: Float[Array, " U"],
    gold: Int[Array, " U"] | None,
    reading: Reading,
) -> Swept:
    """One pass.

    Args:
        layout: a chunk of votes.
        items: [U] 1 for rows, 0 for padding.
        gold: [U] known labels, -1 where unknown.
        reading: how to see them.
    """
    if not isinstance(layout, DenseLayout):
        return _sums(layout, items, gold, reading)
    blocks, shares = layout.blocks()

    def add(total: Swept, part: tuple[Array, Array | None, Array, Array | None]) -> tuple[Swept, None]:
        summed: Swept = jax.tree.map(jnp.add, total, _sums(DenseLayout(*part[:2]), *part[2:], reading))
        return summed, None

    of_block = blocks.shape[:2]
    parts = (blocks, shares, items.reshape(of_block), None if gold is None else gold.reshape(of_block))
    return jax.lax.scan(add, nothing(reading), parts)[0]


def _sums(
    layout: DenseLayout | PackedLayout, items: Float[Array, " U"], gold: Int[Array, " U"] | None, reading: Reading
) -> Swept:
    evidence, n_classes = reading.params.evidence, reading.gold_weights.shape[0]
    n_sources = evidence.shape[0]
    rows = describe(layout, items, n_sources, n_classes, reading.anchor_mass, reading.hold)
    if gold is not None:
        rows = mark_gold(rows, items, gold, reading.gold_weights)
    expected = e_step_by_row(rows, reading.params)
    responsibilities, log_evidence = kept(expected.responsibilities), kept(expected.log_evidence)
    counted = statistics(rows, responsibilities, reading.params)
    if evidence.ndim == 3 and gold is None:  # each vote is counted once, whatever the class
        n_votes = spoken = counted.counts.sum((1, 2))
    else:
        n_votes, spoken = layout.counts(jnp.stack([rows.weight, items], axis=1), n_sources, n_classes).sum(1).T
    return Swept(
        counted,
        n_votes,
        spoken,
        rows.weight @ rows.anchor,
        rows.weight @ log_evidence,
        rows.weight.sum(),
        jnp.where(rows.n_votes == 0, items, 0).sum(),
        jnp.where(rows.n_votes >= CHECKED - 1e-6, items * rows.n_votes, 0).sum(),
    )


def nothing(reading: Reading) -> Swept:
    """What a pass over no rows adds up."""
    n_sources, n_classes = reading.params.evidence.shape[0], reading.gold_weights.shape[0]
    full = reading.params.evidence.ndim == 3
    counts = jnp.zeros((n_sources, n_classes, n_classes) if full else (n_sources,))
    each, classes, one = jnp.zeros(n_sources), jnp.zeros(n_classes), jnp.zeros(())
    return Swept(Statistics(counts, classes), each, each, classes, one, one, one, one)

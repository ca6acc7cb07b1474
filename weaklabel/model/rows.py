"""Vote rows as EM sees them: how many votes, which shares, and the label where it is known. On the device."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.layout import DenseLayout, SparseLayout
from weaklabel.model.params import Rows


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def describe(
    layout: DenseLayout | SparseLayout,
    items: Float[Array, " U"],
    n_sources: int,
    n_classes: int,
    anchor_mass: float | Float[Array, ""],
    hold: float | Float[Array, ""] = 0.0,
) -> Rows:
    """Vote rows with their anchors.

    Args:
        layout: the votes.
        items: [U] how many items have each row; 0 for padding.
        n_sources: M.
        n_classes: K.
        anchor_mass: pseudo-votes in the anchors.
        hold: share of the anchor in the responsibilities of ordinary rows.
    """
    tally = layout.own_evidence(jnp.ones((n_sources, n_classes), items.dtype))
    n_votes = tally.sum(1)
    anchor = (tally + anchor_mass / n_classes) / (n_votes + anchor_mass)[:, None]
    holds = jnp.where(n_votes > 0, hold, 1.0).astype(items.dtype)
    return Rows(layout, jnp.where(n_votes > 0, items, 0), n_votes, anchor, holds)


@jax.jit
def mark_gold(rows: Rows, items: Float[Array, " U"], gold: Int[Array, " U"], gold_weights: Float[Array, " K"]) -> Rows:
    """The rows with the label in place of the anchor where it is known, and held.

    Args:
        rows: of `describe`.
        items: [U] how many items have each row.
        gold: [U] labels, -1 where unknown.
        gold_weights: [K] weight of an item with each known label.
    """
    known = gold >= 0
    labels = jax.nn.one_hot(gold, rows.anchor.shape[1], dtype=rows.anchor.dtype)
    return rows._replace(
        weight=jnp.where(known, items * gold_weights[gold.clip(0)], rows.weight),
        anchor=jnp.where(known[:, None], labels, rows.anchor),
        hold=jnp.where(known, 1.0, rows.hold).astype(rows.hold.dtype),
    )


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def count_votes(
    layout: DenseLayout | SparseLayout, items: Float[Array, " U"], n_sources: int, n_classes: int
) -> Float[Array, "M K"]:
    """How often each source voted for each class, rows weighted."""
    return layout.own_counts(jnp.broadcast_to(items[:, None], (items.shape[0], n_classes)), n_sources)


@partial(jax.jit, static_argnames="n_sources")
def own_counts(layout: DenseLayout | SparseLayout, values: Float[Array, "U K"], n_sources: int) -> Float[Array, " M"]:
    """Sum, over the votes of each source, of the value that the row has for the class voted for."""
    return layout.own_counts(values, n_sources).sum(1)


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def mean_shares(
    layout: DenseLayout | SparseLayout, items: Float[Array, " U"], n_sources: int, n_classes: int
) -> Float[Array, " M"]:
    """Mean share with which each source's votes count beside their copies; 1 where it has none."""
    whole = count_votes(layout, items, n_sources, n_classes).sum(1)
    return jnp.where(whole > 0, layout.share_totals(items, n_sources, n_classes) / whole.clip(1e-9), 1.0)


@jax.jit
def anchored_log_balance(rows: Rows) -> Float[Array, " K"]:
    """Logarithm of the class balance that the anchors show."""
    anchored = (rows.weight[:, None] * rows.anchor).sum(0) + 1
    return jnp.log(anchored / anchored.sum())

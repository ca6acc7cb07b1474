"""Vote rows as EM sees them: how many votes, which shares, and the label where it is known. On the device."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from weaklabel.model.labels.bags import BagLayout, bag_posterior
from weaklabel.model.layout.choice import AnyLayout
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compute_once import kept
from weaklabel.model.records import Rows, Side
from weaklabel.model.sources.imprecise import SetSymbols, SoftVotes, vote_shares


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def describe(
    layout: AnyLayout,
    items: Float[Array, " U"],
    n_sources: int,
    n_classes: int,
    anchor_mass: float | Float[Array, ""],
    hold: float | Float[Array, ""] = 0.0,
    sets: SetSymbols | None = None,
    soft: SoftVotes | None = None,
) -> Rows:
    """Vote rows with their anchors.

    Args:
        layout: the votes.
        items: [U] how many items have each row; 0 for padding.
        n_sources: M.
        n_classes: K.
        anchor_mass: pseudo-votes in the anchors.
        hold: share of the anchor in the responsibilities of ordinary rows.
        sets: candidate sets of the codebook; None where votes are plain.
        soft: votes that are probability vectors.
    """

    def smoothed(tally: Array) -> tuple[Array, Array]:
        n_votes = class_axis.total(tally)
        return n_votes, (tally + anchor_mass / n_classes) / (n_votes + anchor_mass)[:, None]

    each = jnp.ones((n_sources, n_classes), items.dtype)
    if sets is not None:
        n_symbols = n_classes + sets.members.shape[0]
        shown = layout.evidence(jnp.broadcast_to(jnp.eye(n_symbols)[None], (n_sources, n_symbols, n_symbols)))
        n_votes, anchor = smoothed(vote_shares(shown[:, :n_classes], shown[:, n_classes:], sets, soft, anchor_mass))
    elif isinstance(layout, SparseLayout):  # block by block, so that nothing is written but the anchors
        n_votes, anchor = layout.of_blocks(lambda block: smoothed(kept(block.own_evidence(each))))
    else:
        n_votes, anchor = smoothed(layout.own_evidence(each))
    holds = jnp.where(n_votes > 0, hold, 1.0).astype(items.dtype)
    return Rows(layout, jnp.where(n_votes > 0, items, 0), n_votes, anchor, holds, soft)


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


@jax.jit
def beside(rows: Rows, items: Float[Array, " U"], side: Side | None, hold: float | Float[Array, ""]) -> Rows:
    """The rows with side information.

    Rows without votes of which something is known take part in EM, and anchors keep to what is known of bags.

    Args:
        rows: of `describe`, after `mark_gold`.
        items: [U] how many items have each row.
        side: what is known of the rows.
        hold: share of the anchor in the responsibilities of ordinary rows.
    """
    if side is None:
        return rows
    known = (rows.hold == 1) & (rows.anchor.max(1) == 1)
    anchor, told = rows.anchor, jnp.zeros(items.shape, bool)
    if side.alone is not None and side.believed is not None:
        told = side.believed
        anchor = jnp.where((told & (rows.n_votes == 0) & ~known)[:, None], side.alone, anchor)
    if side.bags is not None:
        told = told | in_bags(side.bags, items.shape[0])
        anchor = bag_posterior(jnp.log(anchor), side.bags).probabilities
    told = told & (rows.n_votes == 0) & ~known & (items > 0)
    return rows._replace(
        weight=jnp.where(told, items, rows.weight),
        anchor=anchor,
        hold=jnp.where(told, hold, rows.hold).astype(rows.hold.dtype),
        side=side,
    )


def in_bags(bags: BagLayout, n_rows: int) -> Bool[Array, " U"]:
    """Rows that are in a bag."""
    members = [group.rows for group in bags.counts] + [group.rows for group in bags.expected]
    if bags.same is not None:
        members.append(bags.same.rows)
    if bags.different is not None:
        members.append(bags.different)
    found = jnp.zeros(n_rows, bool)
    for rows in members:
        found = found.at[rows].set(True, mode="drop")
    return found


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def count_votes(
    layout: AnyLayout,
    items: Float[Array, " U"],
    soft: SoftVotes | None = None,
    *,
    n_sources: int,
    n_classes: int,
    sets: SetSymbols | None = None,
) -> Float[Array, "M K"]:
    """How often each source voted for each class, rows weighted; votes for several classes by their information."""
    if sets is None:
        return layout.counts(items[:, None], n_sources, n_classes)[:, :, 0]
    shown = layout.counts(items[:, None], n_sources, n_classes + sets.members.shape[0])[:, :, 0]
    shares = sets.information[:, None] * sets.members / sets.members.sum(1, keepdims=True).clip(1)
    counts = shown[:, :n_classes] + shown[:, n_classes:] @ shares
    if soft is None:
        return counts
    of_row = items.at[soft.rows].get(mode="fill", fill_value=0) * soft.information
    return counts.at[soft.sources].add(of_row[:, None] * soft.probabilities)


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def share_totals(
    layout: AnyLayout,
    items: Float[Array, " U"],
    soft: SoftVotes | None = None,
    *,
    n_sources: int,
    n_classes: int,
    sets: SetSymbols | None = None,
) -> Float[Array, " M"]:
    """Sum of the shares of each source's votes, rows weighted."""
    n_symbols = n_classes + (0 if sets is None else sets.members.shape[0])
    found = layout.share_totals(items, n_sources, n_symbols)
    if soft is None:
        return found
    of_row = items.at[soft.rows].get(mode="fill", fill_value=0)
    return found.at[soft.sources].add(of_row * soft.shares)


@partial(jax.jit, static_argnames="n_groups")
def anchored_log_groups(
    rows: Rows, log_anchored: Float[Array, " K"], n_groups: int, mass: float | Float[Array, ""]
) -> Float[Array, "G K"]:
    """Logarithm of the class balance that the anchors of each group show, drawn to that of all."""
    assert rows.side is not None
    assert rows.side.group is not None
    overall = jnp.exp(log_anchored)
    start = jnp.broadcast_to(mass * overall[None], (n_groups, overall.shape[0]))
    anchored = start.at[rows.side.group].add(rows.weight[:, None] * rows.anchor)
    return jnp.log(anchored / anchored.sum(1, keepdims=True))

"""Vote rows as EM sees them: how many votes, which shares, and the label where it is known. On the device."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.records import Rows, RowVotes, SetSymbols
from weaklabel.model.sources.tally import smoothed_shares


@partial(jax.jit, static_argnames=("n_sources", "n_classes"))
def build_rows(
    votes: RowVotes,
    items: Float[Array, " U"],
    n_sources: int,
    n_classes: int,
    share_prior_mass: float | Float[Array, ""],
    share_weight: float | Float[Array, ""] = 0.0,
    sets: SetSymbols | None = None,
) -> Rows:
    """Vote rows with their vote-share priors.

    Args:
        votes: of the rows.
        items: [U] how many items have each row; 0 for padding.
        n_sources: M.
        n_classes: K.
        share_prior_mass: pseudo-votes in the vote-share priors.
        share_weight: weight of the vote-share prior in the responsibilities of ordinary rows.
        sets: candidate sets of the codebook; None where votes are plain.
    """
    n_votes, shares = smoothed_shares(votes, n_sources, n_classes, share_prior_mass, sets)
    return Rows(
        votes=votes,
        weight=jnp.where(n_votes > 0, items, 0),
        n_votes=n_votes,
        share_prior=shares,
        share_weight=jnp.where(n_votes > 0, share_weight, 1.0).astype(items.dtype),
    )


@jax.jit
def mark_gold(rows: Rows, items: Float[Array, " U"], gold: Int[Array, " U"], gold_weights: Float[Array, " K"]) -> Rows:
    """The rows with the label in place of the vote-share prior where it is known, and fixed.

    Args:
        rows: of `build_rows`.
        items: [U] how many items have each row.
        gold: [U] labels, -1 where unknown.
        gold_weights: [K] weight of an item with each known label.
    """
    known = gold >= 0
    labels = jax.nn.one_hot(gold, rows.share_prior.shape[1], dtype=rows.share_prior.dtype)
    return rows._replace(
        weight=jnp.where(known, items * gold_weights[gold.clip(0)], rows.weight),
        share_prior=jnp.where(known[:, None], labels, rows.share_prior),
        share_weight=jnp.where(known, 1.0, rows.share_weight).astype(rows.share_weight.dtype),
    )

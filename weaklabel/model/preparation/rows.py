"""Vote rows as EM sees them: how many votes, and which shares. On the device."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.records import Rows, RowVotes, SetSymbols
from weaklabel.model.sources.tally import smoothed_shares, smoothing_within_sets


@partial(compiled, static_argnames=("n_sources", "n_classes"))
def build_rows(
    votes: RowVotes,
    items: Float[Array, " U"],
    n_sources: int,
    n_classes: int,
    share_prior_mass: float | Float[Array, ""],
    share_weight: float | Float[Array, ""] = 0.0,
    sets: SetSymbols | None = None,
    smoothing: Float[Array, " K"] | None = None,
    set_coverage: float | Float[Array, ""] = 1.0,
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
        smoothing: over which the pseudo-votes are spread; None for the uniform distribution. Of rows with candidate
            sets, most of it lies within them.
        set_coverage: share of candidate sets that are expected to hold the truth.
    """
    n_votes, shares = smoothed_shares(votes, n_sources, n_classes, share_prior_mass, sets)
    if smoothing is not None:
        smoothing = smoothing[None]
        if sets is not None:
            smoothing = smoothing_within_sets(votes, smoothing, sets, n_sources, set_coverage)
        of_row = (share_prior_mass / (n_votes + share_prior_mass))[:, None]
        shares = jnp.where(n_votes[:, None] > 0, shares + of_row * (smoothing - 1 / n_classes), shares)
    return Rows(
        votes=votes,
        weight=jnp.where(n_votes > 0, items, 0),
        n_votes=n_votes,
        share_prior=shares,
        share_weight=jnp.where(n_votes > 0, share_weight, 1.0).astype(items.dtype),
        smoothing=smoothing,
    )

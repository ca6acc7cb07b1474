"""Vote rows as EM sees them: how many votes, and which shares. On the device."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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

"""Groups of items with a class balance each, and confusions that all share.

That is latent label shift (Garg et al. 2022, arXiv:2207.13179). Shapes: G groups, U rows, K classes.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.records import Profile
from weaklabel.model.settings import Settings


def group_prior(
    group_totals: Float[Array, "G K"] | None, totals: Float[Array, " K"], profile: Profile, settings: Settings
) -> tuple[Float[Array, "G K"] | None, Float[Array, "G K"] | None]:
    """Expected class totals of each group, drawn to the balance of all, and what the groups add to the log-prior."""
    if group_totals is None or profile.log_share_balance_of_groups is None:
        return None, None
    balance = totals / totals.sum()
    of_group = group_totals + settings.group_mass * balance[None]
    shift = jnp.log(of_group / of_group.sum(1, keepdims=True)) - jnp.log(balance)[None]
    of_shares = profile.log_share_balance_of_groups - profile.log_share_balance[None]
    share = profile.mean_unipolarity
    return of_group, (1 - share) * shift + share * of_shares


@partial(compiled, static_argnames="n_groups")
def log_share_balance_of_groups(
    group: Int[Array, " U"],
    weight: Float[Array, " U"],
    share_prior: Float[Array, "U K"],
    log_share_balance: Float[Array, " K"],
    n_groups: int,
    mass: float | Float[Array, ""],
) -> Float[Array, "G K"]:
    """Logarithm of the class balance that the vote-share priors of each group show, drawn to that of all."""
    overall = jnp.exp(log_share_balance)
    start = jnp.broadcast_to(mass * overall[None], (n_groups, overall.shape[0]))
    totals = start.at[group].add(weight[:, None] * share_prior)
    return jnp.log(totals / totals.sum(1, keepdims=True))

"""Votes for candidate sets: the source had one class of the set in mind and did not say which.

Its confusion matrix is summed over the set (coarsening at random, Heitjan and Rubin 1991, doi:10.1214/aos/1176348396;
candidate sets as in Imprecise Label Learning, arXiv:2305.12715). That is where the log-likelihood of a set starts; how
often the set was seen in each class moves it, so that sets which miss the truth (arXiv:2301.12077) and biased
complements are learned rather than assumed.

Shapes: C sets of the codebook, which follow the K classes among the S symbols; M sources.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.records import SetSymbols
from weaklabel.model.sources.soft_votes import information
from weaklabel.votes import Votes


def set_symbols(votes: Votes) -> SetSymbols | None:
    """The candidate sets of the votes' codebook, on the device; None where votes are plain."""
    if votes.is_plain:
        return None
    members = jnp.asarray(votes.symbols.sets, jnp.float32)
    return SetSymbols(members, information(members / members.sum(1, keepdims=True)))


def set_log_likelihood(
    counts: Float[Array, "M C K"],
    confusion: Float[Array, "M K K"],
    totals: Float[Array, "M K"],
    log_balance: Float[Array, " K"],
    unipolarity: Float[Array, " M"],
    sets: SetSymbols,
    mass: float | Float[Array, ""],
    coverage: float | Float[Array, ""],
) -> Float[Array, "M C K"]:
    """Log-likelihood of each set: how much more often than on the mean the source shows it in each class.

    Args:
        counts: how often each source showed each set in each class.
        confusion: P(vote | class) of each source.
        totals: votes of each source in each class.
        log_balance: of the classes.
        unipolarity: how far each source is read discriminatively.
        sets: the codebook.
        mass: votes, in each class, behind what the confusion matrix implies; of sets that are less of a vote, more
            by the root of that.
        coverage: share of each source's sets that are expected to hold the truth, before any count.
    """
    behind = (mass / jnp.sqrt(sets.information.clip(1e-4)))[None, :, None]
    implied = jnp.einsum("cj,mjk->mck", sets.members, confusion)
    share = totals / totals.sum(1, keepdims=True).clip(1e-9)
    rate = counts.sum(2)[:, :, None] * share[:, None, :]
    lift = _covering(implied, share, counts, sets, coverage, mass)
    log_likelihood = jnp.log((counts + behind * lift) / (rate + behind))
    # Read discriminatively, the balance among the source's own votes stands in for the classes'.
    shift = jnp.log(share.clip(1e-6)) - log_balance[None]
    return log_likelihood + (unipolarity[:, None] * shift)[:, None, :]


def _covering(
    implied: Float[Array, "M C K"],
    share: Float[Array, "M K"],
    counts: Float[Array, "M C K"],
    sets: SetSymbols,
    coverage: float | Float[Array, ""],
    mass: float | Float[Array, ""],
) -> Float[Array, "M C K"]:
    """How much likelier each set is in each class than on the mean: the source's sets hold the truth as often as they
    were seen to, drawn to `coverage`, and classes within and outside share that as the confusion matrix implies.
    """
    inside = sets.members[None]
    covered = ((counts * inside).sum((1, 2)) + mass * coverage) / (counts.sum((1, 2)) + mass)
    joint = implied * share[:, None, :]
    within = (joint * inside).sum(2, keepdims=True).clip(1e-9)
    outside = (joint * (1 - inside)).sum(2, keepdims=True).clip(1e-9)
    covered = covered[:, None, None]
    return implied * jnp.where(inside > 0, covered / within, (1 - covered) / outside)


def latent_votes(
    counts: Float[Array, "M C K"], confusion: Float[Array, "M K K"], sets: SetSymbols
) -> Float[Array, "M K K"]:
    """Expected plain votes behind the sets that were shown: vote on the second axis, class on the last."""
    implied = jnp.einsum("cj,mjk->mck", sets.members, confusion)
    votes = counts * sets.information[None, :, None] / implied.clip(1e-9)
    return confusion * jnp.einsum("cj,mck->mjk", sets.members, votes)

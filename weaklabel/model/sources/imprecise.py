"""Votes beyond one class in the likelihood: candidate sets, complements and probability vectors.

A source that shows a set had a class in mind and did not say which: its confusion matrix speaks, summed over the set
(coarsening at random, Heitjan and Rubin 1991, doi:10.1214/aos/1176348396; candidate sets as in Imprecise Label
Learning, arXiv:2305.12715). That is where the evidence of a set starts; how often the set was seen in each class moves
it, so that sets which miss the truth (arXiv:2301.12077) and biased complements are learned rather than assumed. A
probability vector is a class in mind, each with its probability.

Shapes: C sets of the codebook, which follow the K classes among the S symbols; V soft votes.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

BLOCK_VOTES = 4096
"""Soft votes at once: bounds the temporary [votes, K, K]."""
SHARING_ROUNDS = 5


class SetSymbols(NamedTuple):
    """The candidate sets of the codebook."""

    members: Float[Array, "C K"]
    """1 for the classes of the set."""
    information: Float[Array, " C"]
    """How much of a vote each is; see `information`."""


class SoftVotes(NamedTuple):
    """Votes that are probability vectors, padded to a bucket."""

    rows: Int[Array, " V"]
    """Row of each vote; a padded vote points behind the last row."""
    sources: Int[Array, " V"]
    probabilities: Float[Array, "V K"]
    information: Float[Array, " V"]
    shares: Float[Array, " V"]
    """Weight of each vote beside its copies."""


def information(probabilities: Float[Array, "V K"]) -> Float[Array, " V"]:
    """How much of a vote a distribution over the classes is: 1 less its entropy over log K, so 1 for a class and 0 for
    the uniform one.
    """
    n_classes = probabilities.shape[1]
    entropy = -jax.scipy.special.xlogy(probabilities, probabilities).sum(1)
    return (1 - entropy / jnp.log(n_classes)).clip(0, 1)


def set_evidence(
    counts: Float[Array, "M C K"],
    confusion: Float[Array, "M K K"],
    totals: Float[Array, "M K"],
    log_balance: Float[Array, " K"],
    by_precision: Float[Array, " M"],
    sets: SetSymbols,
    mass: float | Float[Array, ""],
) -> Float[Array, "M C K"]:
    """Log-evidence of each set: how much more often than on the mean the source shows it in each class.

    Args:
        counts: how often each source showed each set in each class.
        confusion: P(vote | class) of each source.
        totals: votes of each source in each class.
        log_balance: of the classes.
        by_precision: how far each source is read by precision.
        sets: the codebook.
        mass: votes, in each class, behind what the confusion matrix implies; of sets that are less of a vote, more
            by the root of that.
    """
    behind = (mass / jnp.sqrt(sets.information.clip(1e-4)))[None, :, None]
    implied = jnp.einsum("cj,mjk->mck", sets.members, confusion)
    share = totals / totals.sum(1, keepdims=True).clip(1e-9)
    rate = counts.sum(2)[:, :, None] * share[:, None, :]
    lift = implied / (implied * share[:, None, :]).sum(2, keepdims=True).clip(1e-9)
    evidence = jnp.log((counts + behind * lift) / (rate + behind))
    # Read by precision, the balance among the source's own votes stands in for the classes'.
    shift = jnp.log(share.clip(1e-6)) - log_balance[None]
    return evidence + (by_precision[:, None] * shift)[:, None, :]


def latent_votes(
    counts: Float[Array, "M C K"], confusion: Float[Array, "M K K"], sets: SetSymbols
) -> Float[Array, "M K K"]:
    """Expected plain votes behind the sets that were shown: vote on the second axis, class on the last."""
    implied = jnp.einsum("cj,mjk->mck", sets.members, confusion)
    told = counts * sets.information[None, :, None] / implied.clip(1e-9)
    return confusion * jnp.einsum("cj,mck->mjk", sets.members, told)


def soft_evidence(soft: SoftVotes, evidence: Float[Array, "M S C"], total: Float[Array, "U C"]) -> Float[Array, "U C"]:
    """`total` and the log-evidence of the soft votes of each row.

    The evidence of plain votes, mixed by the vote's probabilities, beside the uniform mixture as far as the vote has no
    information: nothing for a uniform vote, that of the plain vote for a certain one.
    """
    n_classes = soft.probabilities.shape[1]
    plain = evidence[:, :n_classes]
    uniform = jax.scipy.special.logsumexp(plain, axis=1) - jnp.log(n_classes)

    def block(total: Array, part: SoftVotes) -> tuple[Array, None]:
        mixed = jax.scipy.special.logsumexp(plain[part.sources], axis=1, b=part.probabilities[:, :, None])
        found = mixed - (1 - part.information[:, None]) * uniform[part.sources]
        return total.at[part.rows].add(found * part.shares[:, None], mode="drop"), None

    return jax.lax.scan(block, total, _blocks(soft))[0]


def soft_counts(
    soft: SoftVotes,
    confusion: Float[Array, "M K K"],
    responsibilities: Float[Array, "U K"],
    counts: Float[Array, "M K K"],
) -> Float[Array, "M K K"]:
    """`counts` and the expected plain votes behind the soft ones; responsibilities weighted."""

    def block(total: Array, part: SoftVotes) -> tuple[Array, None]:
        of_row = responsibilities.at[part.rows].get(mode="fill", fill_value=0) * part.information[:, None]
        in_mind = part.probabilities[:, :, None] * confusion[part.sources]
        in_mind = in_mind / in_mind.sum(1, keepdims=True).clip(1e-9)
        return total.at[part.sources].add(in_mind * of_row[:, None, :]), None

    return jax.lax.scan(block, counts, _blocks(soft))[0]


def vote_shares(
    plain: Float[Array, "U K"],
    shown: Float[Array, "U C"],
    sets: SetSymbols,
    soft: SoftVotes | None,
    anchor_mass: float | Float[Array, ""],
) -> Float[Array, "U K"]:
    """Votes of each row for each class, where those for several classes are shared out by all of the row's votes.

    The shares that reproduce themselves (self-consistency: Turnbull 1976, doi:10.1111/j.2517-6161.1976.tb01597.x), to a
    few rounds. Votes count by their information.

    Args:
        plain: votes for one class.
        shown: how often each set was shown.
        sets: the codebook.
        soft: probability vectors.
        anchor_mass: pseudo-votes, spread over the classes.
    """
    n_classes = plain.shape[1]
    told = shown * sets.information[None]

    def share_out(_: Int[Array, ""], tally: Array) -> Array:
        shares = (tally + anchor_mass / n_classes) / (tally.sum(1, keepdims=True) + anchor_mass)
        found = plain + shares * ((told / (shares @ sets.members.T).clip(1e-9)) @ sets.members)
        if soft is None:
            return found

        def block(total: Array, part: SoftVotes) -> tuple[Array, None]:
            meant = part.probabilities * shares.at[part.rows].get(mode="fill", fill_value=1)
            meant = meant / meant.sum(1, keepdims=True).clip(1e-9)
            return total.at[part.rows].add(meant * (part.information * part.shares)[:, None], mode="drop"), None

        return jax.lax.scan(block, found, _blocks(soft))[0]

    shared: Array = jax.lax.fori_loop(0, SHARING_ROUNDS, share_out, jnp.zeros_like(plain))
    return shared


def _blocks(soft: SoftVotes) -> SoftVotes:
    size = min(soft.rows.shape[0], BLOCK_VOTES)
    return SoftVotes(*(leaf.reshape(-1, size, *leaf.shape[1:]) for leaf in soft))

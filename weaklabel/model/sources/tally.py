"""Votes of each row for each class: what vote shares are made of."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compute_once import materialized
from weaklabel.model.records import RowVotes, SetSymbols, SoftVotes
from weaklabel.model.sources.soft_votes import blocks

SHARING_ROUNDS = 5


def smoothed_shares(
    votes: RowVotes,
    n_sources: int,
    n_classes: int,
    prior_mass: float | Float[Array, ""],
    sets: SetSymbols | None = None,
) -> tuple[Float[Array, " U"], Float[Array, "U K"]]:
    """Number of votes of each row, copies counted once, and its smoothed vote shares.

    Args:
        votes: of the rows.
        n_sources: M.
        n_classes: K.
        prior_mass: pseudo-votes, spread over the classes.
        sets: candidate sets of the codebook; None where votes are plain.
    """

    def smoothed(tally: Array) -> tuple[Array, Array]:
        n_votes = class_axis.total(tally)
        return n_votes, (tally + prior_mass / n_classes) / (n_votes + prior_mass)[:, None]

    each = jnp.ones((n_sources, n_classes), jnp.float32)
    if sets is None:
        return votes.layout.map_blocks(lambda block: smoothed(materialized(block.own_evidence(each))))
    n_symbols = n_classes + sets.members.shape[0]
    shown = votes.layout.evidence(jnp.broadcast_to(jnp.eye(n_symbols)[None], (n_sources, n_symbols, n_symbols)))
    return smoothed(shared_tally(shown[:, :n_classes], shown[:, n_classes:], sets, votes.soft, prior_mass))


def smoothing_within_sets(
    votes: RowVotes,
    smoothing: Float[Array, "1 K"],
    sets: SetSymbols,
    n_sources: int,
    coverage: float | Float[Array, ""],
) -> Float[Array, "U K"]:
    """The distribution over the classes, given for each row that its candidate sets hold the truth so often."""
    n_classes = smoothing.shape[1]
    odds = jnp.log((1 - coverage) / coverage)
    outside = jnp.concatenate([jnp.zeros((n_classes, n_classes)), odds * (1 - sets.members)])
    log_odds = votes.layout.evidence(jnp.broadcast_to(outside[None], (n_sources, *outside.shape)))
    return class_axis.softmax(jnp.log(smoothing) + log_odds)


def shared_tally(
    plain: Float[Array, "U K"],
    shown: Float[Array, "U C"],
    sets: SetSymbols,
    soft: SoftVotes | None,
    prior_mass: float | Float[Array, ""],
) -> Float[Array, "U K"]:
    """Votes of each row for each class, where those for several classes are shared out by all of the row's votes.

    The shares that reproduce themselves (self-consistency: Turnbull 1976, doi:10.1111/j.2517-6161.1976.tb01597.x), to a
    few rounds. Votes count by their information.

    Args:
        plain: votes for one class.
        shown: how often each set was shown.
        sets: the codebook.
        soft: probability vectors.
        prior_mass: pseudo-votes, spread over the classes.
    """
    n_classes = plain.shape[1]
    votes = shown * sets.information[None]

    def share_out(_: Int[Array, ""], tally: Array) -> Array:
        shares = (tally + prior_mass / n_classes) / (tally.sum(1, keepdims=True) + prior_mass)
        total = plain + shares * ((votes / (shares @ sets.members.T).clip(1e-9)) @ sets.members)
        if soft is None:
            return total

        def block(so_far: Array, part: SoftVotes) -> tuple[Array, None]:
            meant = part.probabilities * shares.at[part.rows].get(mode="fill", fill_value=1)
            meant = meant / meant.sum(1, keepdims=True).clip(1e-9)
            return so_far.at[part.rows].add(meant * (part.information * part.shares)[:, None], mode="drop"), None

        return jax.lax.scan(block, total, blocks(soft))[0]

    shared: Array = jax.lax.fori_loop(0, SHARING_ROUNDS, share_out, jnp.zeros_like(plain))
    return shared

"""How often sources vote, and how often they are right: few votes are counted on the host, many on the device.

For few votes a program takes longer to compile than to run.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.layout.protocol import Layout
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.devices import at_once
from weaklabel.model.numerics.padding import single
from weaklabel.model.records import Rows, RowVotes, SetSymbols
from weaklabel.votes import Votes
from weaklabel.votes.counting import VOTES_OF_A_RUN

VOTES_ON_HOST = 2**18
"""Up to so many are counted there."""
IN_MIND_ROUNDS = 50


def vote_counts(
    votes: Votes, weight: NDArray[np.float32], on_device: RowVotes, items: Float[Array, " U"], sets: SetSymbols | None
) -> NDArray[np.float64]:
    """[M, K] how often each source voted for each class, rows weighted; votes for several classes by their information.

    Args:
        votes: U rows.
        weight: [U] of the rows.
        on_device: the same votes there, ...
        items: ... and the weights of its rows, padded, in its order.
        sets: candidate sets of the codebook; None where votes are plain.
    """
    if not votes.is_plain or votes.n_votes > VOTES_ON_HOST:
        counts = _vote_counts(on_device, items, n_sources=votes.n_sources, n_classes=votes.n_classes, sets=sets)
        return np.asarray(counts, np.float64)
    rows, sources, labels = votes.triples()
    place, shape = sources.astype(np.int64) * votes.n_classes + labels, (votes.n_sources, votes.n_classes)
    return np.asarray(np.bincount(place, weight[rows], shape[0] * shape[1]).reshape(shape), np.float64)


def favoured_counts(
    counts: NDArray[np.float64], on_device: RowVotes, items: Float[Array, " U"], sets: SetSymbols | None
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """[M, K] as `vote_counts`, with each vote for several classes counted for the class that its source has in mind;
    and [K] the same of all sources taken for one, None where votes are for one class each.

    A function that says "spam, .9" votes for one class, as one that says "spam" does, and so does one that says "spam,
    or that". What the sets of a source have in common is the distribution over the classes that makes them likeliest
    (Turnbull 1976, doi:10.1111/j.2517-6161.1976.tb01597.x), with one vote before. A probability vector is for the class
    that it gives most beyond the share of the class in all votes.

    Args:
        counts: [M, K] of `vote_counts`.
        on_device: U rows.
        items: [U] of their weights.
        sets: candidate sets of the codebook; None where votes are plain.
    """
    if sets is None:
        return counts, None
    pooled, told = counts.sum(0) + 0.5, on_device
    shares = pooled / pooled.sum()
    if told.soft is not None:
        favoured = (told.soft.probabilities - single(shares)[None]).argmax(1)
        told = told._replace(soft=told.soft._replace(probabilities=jax.nn.one_hot(favoured, len(shares))))
    n_sources, n_classes = counts.shape
    shown = np.asarray(_shown(told, items, n_sources=n_sources, n_classes=n_classes, sets=sets), np.float64)
    shown = np.concatenate([shown, shown.sum(0, keepdims=True)])
    plain, of_sets = shown[:, :n_classes], shown[:, n_classes:] * np.asarray(sets.information, np.float64)
    members, found = np.asarray(sets.members, np.float64), plain
    for _ in range(IN_MIND_ROUNDS if of_sets.any() else 0):
        in_mind = found + shares  # one vote as all others': few sets have a class in common by chance
        found = plain + in_mind * ((of_sets / (in_mind @ members.T)) @ members)
    return found[:-1], found[-1]


@partial(compiled, static_argnames=("n_sources", "n_classes"))
def _vote_counts(
    votes: RowVotes, items: Float[Array, " U"], *, n_sources: int, n_classes: int, sets: SetSymbols | None
) -> Float[Array, "M K"]:
    if sets is None:
        return votes.layout.counts(items[:, None], n_sources, n_classes)[:, :, 0]
    shown = _shown_symbols(votes, items, n_sources, n_classes, sets)
    shares = sets.information[:, None] * sets.members / sets.members.sum(1, keepdims=True).clip(1)
    return shown[:, :n_classes] + shown[:, n_classes:] @ shares


def _shown_symbols(
    votes: RowVotes, items: Float[Array, " U"], n_sources: int, n_classes: int, sets: SetSymbols
) -> Float[Array, "M S"]:
    """How often each source showed each class and each set; of probability vectors the classes, by information."""
    shown = votes.layout.counts(items[:, None], n_sources, n_classes + sets.members.shape[0])[:, :, 0]
    if votes.soft is None:
        return shown
    of_row = items.at[votes.soft.rows].get(mode="fill", fill_value=0) * votes.soft.information
    padded = jnp.pad(votes.soft.probabilities, ((0, 0), (0, sets.members.shape[0])))
    return shown.at[votes.soft.sources].add(of_row[:, None] * padded)


_shown = partial(compiled, static_argnames=("n_sources", "n_classes"))(_shown_symbols)


def share_totals(
    votes: Votes, on_device: RowVotes, items: Float[Array, " U"], sets: SetSymbols | None
) -> NDArray[np.float64]:
    """[M] sum of the shares of each source's votes, beside its copies, rows weighted. Arguments as in `vote_counts`."""
    n_symbols = votes.n_classes + (0 if sets is None else sets.members.shape[0])
    totals = _share_totals(on_device, items, n_sources=votes.n_sources, n_symbols=n_symbols)
    return np.asarray(totals, np.float64)


@partial(compiled, static_argnames=("n_sources", "n_symbols"))
def _share_totals(votes: RowVotes, items: Float[Array, " U"], *, n_sources: int, n_symbols: int) -> Float[Array, " M"]:
    totals = votes.layout.share_totals(items, n_sources, n_symbols)
    if votes.soft is None:
        return totals
    of_row = items.at[votes.soft.rows].get(mode="fill", fill_value=0)
    return totals.at[votes.soft.sources].add(of_row * votes.soft.shares)


def right_votes(
    unique: UniqueRows, soft: NDArray[np.float32], rows: Rows, places: NDArray[np.int32], labels: Float[Array, "U K"]
) -> NDArray[np.float64]:
    """[M] expected number of right votes of each source, of votes that are plain.

    Args:
        unique: the rows.
        soft: [U, K] their soft labels.
        rows: the same rows on the device.
        places: [U] place of each row among them.
        labels: the same on the device, of `rows`.
    """
    votes = unique.votes
    if votes.n_votes > VOTES_ON_HOST:
        weight = np.zeros(rows.votes.layout.n_rows, np.float32)
        weight[places] = unique.weight
        counts = _right_votes(rows.votes.layout, jax.device_put(weight), labels, n_sources=votes.n_sources)
        return np.asarray(np.asarray(counts, np.float64).sum(1))
    columns = votes.triples()

    def of_run(start: int) -> NDArray[np.float64]:
        rows, sources, labels = (column[start : start + VOTES_OF_A_RUN] for column in columns)
        weighted = unique.weight[rows] * soft[rows, labels]
        return np.asarray(np.bincount(sources, weighted, votes.n_sources), np.float64)

    total: NDArray[np.float64] = np.zeros(votes.n_sources)
    for of_one in at_once(of_run, range(0, len(columns[0]), VOTES_OF_A_RUN)):
        total += of_one
    return total


@partial(compiled, static_argnames="n_sources")
def _right_votes(
    layout: Layout, weight: Float[Array, " U"], soft: Float[Array, "U K"], *, n_sources: int
) -> Float[Array, "M K"]:
    counts: Array = layout.own_counts(weight[:, None] * soft, n_sources)
    return counts

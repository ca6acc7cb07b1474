"""How often sources vote, and how often they are right: few votes are counted on the host, many on the device.

For few votes a program takes longer to compile than to run.
"""

from __future__ import annotations

from functools import partial

import jax
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
) -> NDArray[np.float64]:
    """[M, K] as `vote_counts`, with each probability vector for the class that it favours.

    That is the one it gives most beyond the share of the class in all votes. A function that says "spam, .9" votes for
    one class, as one that says "spam" does.

    Args:
        counts: [M, K] of `vote_counts`.
        on_device: U rows.
        items: [U] of their weights.
        sets: candidate sets of the codebook; None where votes are plain.
    """
    if on_device.soft is None:
        return counts
    pooled = counts.sum(0) + 0.5
    beyond = on_device.soft.probabilities - single(pooled / pooled.sum())[None]
    favoured = jax.nn.one_hot(beyond.argmax(1), len(pooled), dtype=beyond.dtype)
    told = on_device._replace(soft=on_device.soft._replace(probabilities=favoured))
    n_sources, n_classes = counts.shape
    return np.asarray(_vote_counts(told, items, n_sources=n_sources, n_classes=n_classes, sets=sets), np.float64)


@partial(compiled, static_argnames=("n_sources", "n_classes"))
def _vote_counts(
    votes: RowVotes, items: Float[Array, " U"], *, n_sources: int, n_classes: int, sets: SetSymbols | None
) -> Float[Array, "M K"]:
    if sets is None:
        return votes.layout.counts(items[:, None], n_sources, n_classes)[:, :, 0]
    shown = votes.layout.counts(items[:, None], n_sources, n_classes + sets.members.shape[0])[:, :, 0]
    shares = sets.information[:, None] * sets.members / sets.members.sum(1, keepdims=True).clip(1)
    counts = shown[:, :n_classes] + shown[:, n_classes:] @ shares
    if votes.soft is None:
        return counts
    of_row = items.at[votes.soft.rows].get(mode="fill", fill_value=0) * votes.soft.information
    return counts.at[votes.soft.sources].add(of_row[:, None] * votes.soft.probabilities)


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

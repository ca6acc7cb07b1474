"""EM over the blocks of new items, from the counts of those seen before: what changes is found as labels get better."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.drift.blocks import LEAST_ITEMS, Blocks, cut, most_blocks, pairs_to_join
from weaklabel.model.drift.blockwise import Counted, Others, count, iterate, lay_out_blocks, skills
from weaklabel.model.drift.detection import HALVINGS, Changes, fading, find_changes
from weaklabel.model.drift.history import Drift, faded_counts
from weaklabel.model.labels.classes import ClassStatistics
from weaklabel.model.numerics.padding import bucket, padded, single
from weaklabel.model.params import Params
from weaklabel.model.settings import Settings
from weaklabel.votes import Votes

TURNS = 2
"""Of EM and the search for changes."""
ROUNDS = 4
"""EM iterations of a turn."""


def follow(
    before: Drift,
    votes: Votes,
    times: NDArray[np.float64],
    copies: sp.csr_array[np.float64],
    params: Params,
    settings: Settings,
    *,
    turns: int = TURNS,
) -> Drift:
    """The history with new items.

    Args:
        before: the history, whose counts stay as they are; of no block where there is none.
        votes: N new items.
        times: [N]
        copies: [M, M] how surely sources copy each other.
        params: by which the new items are read at first, where there is no history.
        settings: constants.
        turns: of EM and the search for changes; 0 to count and search once.
    """
    most = most_blocks(votes.n_sources, votes.n_classes, HALVINGS + 1)
    seen = before.items.sum() + votes.n_items
    blocks = cut(times, max(LEAST_ITEMS, seen / most))
    n_old, n_new = len(before.items), len(blocks.starts)
    n_padded = bucket(n_new, 1)  # with blocks of no item
    rows = lay_out_blocks(
        votes,
        blocks.number,
        n_padded,
        copies,
        smoothing=single(before.smoothing),
        share_prior_mass=settings.share_prior_mass,
        hold=float(before.hold),
    )
    drift = _with_blocks(before, blocks, times)
    order = np.argsort(drift.middles, kind="stable")
    new = np.flatnonzero(order >= n_old)  # where each new block is, in the order of time
    places = np.empty_like(new)
    places[order[new] - n_old] = new
    old = np.setdiff1d(np.arange(n_old + n_new), new)
    drift = _reordered(drift, order)
    counted = count(rows, _first(drift, places, old, params, settings, n_padded))
    for _ in range(turns):
        drift = _with_counts(drift, before, places, counted)
        weights = fading(drift.changes, drift.middles)[:, places]
        of_old = single(padded(faded_counts(weights[:, :, old], drift.counts[old]), n_padded))
        others = Others(of_old, ClassStatistics(single(before.class_totals)))
        own = np.zeros((len(weights), n_padded, n_padded))
        own[:, :n_new, :n_new] = weights[:, :, places]
        counted = iterate(rows, counted, others, single(own), params, drift.profile, settings, rounds=ROUNDS)
    drift = _with_counts(drift, before, places, counted)
    return _joined(drift, most)


def _first(
    drift: Drift,
    places: NDArray[np.int64],
    old: NDArray[np.int64],
    params: Params,
    settings: Settings,
    n_padded: int,
) -> Params:
    """Parameters of the new blocks before their votes are counted."""
    if len(old) == 0:
        sources = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], n_padded, 0), params.sources)
        return Params(sources, params.labels)
    weights = fading(drift.changes, drift.middles)[:, places][:, :, old]
    faded = single(padded(faded_counts(weights, drift.counts[old]), n_padded))
    first: Params = skills(faded, params, drift.label_statistics, drift.profile, settings)
    return first


def _with_blocks(before: Drift, blocks: Blocks, times: NDArray[np.float64]) -> Drift:
    """The history with new blocks behind the others, whose counts are 0. They go on in the last segment."""
    items = np.bincount(blocks.number, minlength=len(blocks.starts)).astype(np.float64)
    middles = np.bincount(blocks.number, times, len(blocks.starts)) / np.maximum(items, 1)
    shape = len(items), *before.counts.shape[1:]
    last = before.segments[:, -1:] if before.segments.shape[1] else np.zeros((len(before.rates), 1), np.int32)
    return before._replace(
        starts=np.append(before.starts, blocks.starts),
        ends=np.append(before.ends, blocks.ends),
        middles=np.append(before.middles, middles),
        items=np.append(before.items, items),
        counts=np.concatenate([before.counts, np.zeros(shape, np.float32)]),
        segments=np.concatenate([before.segments, np.repeat(last, len(items), 1)], axis=1),
    )


def _reordered(drift: Drift, order: NDArray[np.int64]) -> Drift:
    """The history, its blocks in another order."""
    by_block = {name: getattr(drift, name)[order] for name in ("starts", "ends", "middles", "items", "counts")}
    return drift._replace(**by_block, segments=drift.segments[:, order])


def _with_counts(drift: Drift, before: Drift, places: NDArray[np.int64], counted: Counted) -> Drift:
    """The history with the counts of its new blocks, and what they say of changes."""
    counts = drift.counts.copy()
    counts[places] = np.asarray(counted.sources)[: len(places)]
    changes = find_changes(counts, drift.middles)
    totals = before.class_totals + np.asarray(counted.labels.totals, np.float64)
    return drift._replace(counts=counts, class_totals=totals, rates=changes.rates, segments=changes.segments)


def _joined(drift: Drift, most: int) -> Drift:
    """The history with at most so many blocks, and what changes between them."""
    if len(drift.items) <= most:
        return drift
    becomes = pairs_to_join(drift.items, most)
    first = np.searchsorted(becomes, np.arange(most))

    def summed(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.add.reduceat(values, first, axis=0))

    items = summed(drift.items)
    joined = drift._replace(
        starts=np.minimum.reduceat(drift.starts, first),
        ends=np.maximum.reduceat(drift.ends, first),
        middles=summed(drift.middles * drift.items) / items,
        items=items,
        counts=summed(drift.counts),
        segments=drift.segments[:, first],
    )
    changes: Changes = find_changes(joined.counts, joined.middles)
    return joined._replace(rates=changes.rates, segments=changes.segments)

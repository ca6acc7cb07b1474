"""Hard labels of items in bags: the likeliest labeling, by the soft labels, among those that keep to what is known.

Without the bag each item has its likeliest class. Where these break the bounds of a bag, items move from class to class
along the cheapest path until they are kept: successive shortest paths between the classes, which end at the optimum of
this assignment problem (Ahuja, Magnanti and Orlin 1993, Network Flows, chapter 14, convex costs of the counts).

Shapes: N items, L of a bag, K classes.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.labels.hard_knowledge import LEAST, bounds_of
from weaklabel.side_information.bags import CheckedBags

BREACH = 1e6
"""Cost of a count that is out of bounds by one, in nats: more than any path between classes."""
GAIN = 1e-9
"""Paths that gain less are not worth it: rounding."""
JITTER = 1e-7
"""Scale of the noise on log-probabilities that picks among equal items, in nats."""


def keep_to_bags(
    labels: NDArray[np.int32], soft: NDArray[np.floating[Any]], bags: CheckedBags, generator: np.random.Generator
) -> NDArray[np.int32]:
    """[N] hard labels that keep to bags.

    Items in no bag keep their labels, and so do bags that are kept as they are. Where a count has to be kept, no item
    of the bag abstains: of items that are alike some are picked at random.

    Args:
        labels: [N] the likeliest class of each item, -1 for an abstain.
        soft: [N, K] soft labels.
        bags: what is known.
        generator: of the picks among items that are alike.
    """
    labels = labels.copy()
    if len(bags.same_item):
        first = np.flatnonzero(np.diff(bags.same_group, prepend=-1))
        labels[bags.same_item] = labels[bags.same_item[first[bags.same_group]]]
    bounds = bounds_of(bags, soft.shape[1])
    if not len(bounds.low):
        return labels
    of_class = (labels[bounds.item][:, None] == np.arange(soft.shape[1])).astype(np.float64)
    counts = bounds.counts(of_class)
    ends = np.cumsum(bounds.size)
    for bag in np.flatnonzero(((counts < bounds.low) | (counts > bounds.high)).any(1)):
        items = bounds.item[ends[bag] - bounds.size[bag] : ends[bag]]
        log_p = np.log(np.maximum(soft[items].astype(np.float64), LEAST))
        labels[items] = likeliest(log_p + JITTER * generator.random(log_p.shape), bounds.low[bag], bounds.high[bag])
    return labels


def likeliest(scores: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.intp]:
    """[L] the classes with the largest sum of scores [L, K], such that each class has between low and high items [K].

    There must be such labels.
    """
    labels, n_classes = np.asarray(scores.argmax(1)), scores.shape[1]
    counts = np.bincount(labels, minlength=n_classes)
    own = scores[np.arange(len(labels)), labels]
    while True:
        price = np.full((n_classes, n_classes), np.inf)
        mover = np.zeros((n_classes, n_classes), np.intp)
        for k in np.flatnonzero(counts):
            members = np.flatnonzero(labels == k)
            loss = own[members, None] - scores[members]
            cheapest = loss.argmin(0)
            mover[k], price[k] = members[cheapest], loss[cheapest, np.arange(n_classes)]
        price, following = _shortest(price)
        less = BREACH * ((counts - 1 < low).astype(float) - (counts > high))
        more = BREACH * ((counts + 1 > high).astype(float) - (counts < low))
        total = price + less[:, None] + more[None]
        np.fill_diagonal(total, np.inf)
        start, end = np.unravel_index(total.argmin(), total.shape)
        if not total[start, end] < -GAIN:
            return labels
        path = [int(start)]
        while path[-1] != end:
            path.append(int(following[path[-1], end]))
        moves = [(mover[one, other], other) for one, other in itertools.pairwise(path)]
        for item, to in moves:
            labels[item], own[item] = to, scores[item, to]
        counts[start] -= 1
        counts[end] += 1


def _shortest(price: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """[K, K] lengths of the shortest paths, and the class after the first on each (Floyd and Warshall 1962)."""
    n_classes = len(price)
    length, following = price.copy(), np.tile(np.arange(n_classes), (n_classes, 1))
    np.fill_diagonal(length, 0)
    for k in range(n_classes):
        through = length[:, k, None] + length[None, k]
        shorter = through < length - GAIN / n_classes
        length = np.where(shorter, through, length)
        following = np.where(shorter, following[:, k, None], following)
    return length, following

"""What is known of bags for sure stays so in soft labels, whatever was made of them since. On the host.

The posterior keeps to bags. What is done to it after, in float32, by mixtures and by what gold
has taught, need not. So the soft labels are replaced by those nearest to them, in Kullback-Leibler divergence, among
all that keep to what is known (posterior regularisation, Ganchev et al. 2010, JMLR 11:2001). Soft labels are those of
some distribution over labelings within bounds exactly where their sums are within the bounds, so nothing more has to be
known of the posterior; and soft labels that keep to their bags already are the nearest themselves.

Shapes: N items, T of them in bags, B bags, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax

from weaklabel.side_information.bags import CheckedBags

LEAST = 1e-30
"""Probability of what is not excluded, where float32 has rounded it to 0."""
MISSED = 1e-6
"""Of the size of a bag: a sum that misses its count by less is left as it is."""
CLOSE = 1e-9
"""Of the size of a bag: how near sums are brought."""
SETTLED = 1e-7
"""Change of log-odds in a sweep below which they are those of the optimum."""
SWEEPS = 200
"""Over the classes, at most."""
STEPS = 60
"""Of each class, at most."""
WIDEST = 1e4
"""Largest log-odds that a bag adds to a class."""


class CountBounds(NamedTuple):
    """Bags by the bounds of their counts."""

    item: NDArray[np.int64]
    """[T] positions, bag after bag."""
    bag: NDArray[np.int64]
    """[T] 0..B-1, ascending."""
    low: NDArray[np.int64]
    """[B, K] least count, as it follows from all bounds of the bag."""
    high: NDArray[np.int64]
    """[B, K] largest count."""

    @property
    def size(self) -> NDArray[np.int64]:
        """[B] number of items."""
        return np.bincount(self.bag, minlength=len(self.low))

    def counts(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[B, K] sums over the items of each bag, of values [T, K]."""
        starts = np.concatenate([[0], np.cumsum(self.size)[:-1]])
        return np.asarray(np.add.reduceat(values, starts, axis=0))

    def chosen(self, bags: NDArray[np.bool_]) -> CountBounds:
        """Some [B] of the bags, numbered anew."""
        inside = bags[self.bag]
        number = np.cumsum(bags) - 1
        return CountBounds(self.item[inside], number[self.bag[inside]], self.low[bags], self.high[bags])


def bounds_of(bags: CheckedBags, n_classes: int) -> CountBounds:
    """The bags whose counts are bounded; a pair of items that differ has at most one of each class."""
    counts, pairs = bags.counts, bags.different
    n_bags = len(counts.low)
    one = np.ones((len(pairs), n_classes), np.int64)
    low, high = np.concatenate([counts.low, 0 * one]), np.concatenate([counts.high, one])
    bag = np.concatenate([counts.bag, n_bags + np.repeat(np.arange(len(pairs)), 2)])
    size = np.bincount(bag, minlength=len(low))[:, None]
    high = np.minimum(high, size - (low.sum(1, keepdims=True) - low))
    low = np.maximum(low, size - (high.sum(1, keepdims=True) - high))
    return CountBounds(np.concatenate([counts.item, pairs.ravel()]), bag, low, high)


def kept(soft: NDArray[np.float32], bags: CheckedBags | None) -> NDArray[np.float32]:
    """The soft labels nearest to those given that keep to bags.

    Args:
        soft: [N, K] soft labels.
        bags: what is known; None for nothing.

    Returns:
        [N, K]; where bags are kept already, the labels as they are.
    """
    if bags is None:
        return soft
    result = soft.copy()
    _keep_same(result, bags)
    _keep_counts(result, bounds_of(bags, soft.shape[1]))
    return result


def _log(soft: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.log(np.maximum(soft.astype(np.float64), LEAST))


def _keep_same(result: NDArray[np.float32], bags: CheckedBags) -> None:
    """Gives the items of one label one soft label: their geometric mean."""
    item, group = bags.same_item, bags.same_group
    if not len(item):
        return
    first = np.flatnonzero(np.diff(group, prepend=-1))
    unlike = np.abs(result[item] - result[item[first[group]]]).max(1) > MISSED
    mean = np.add.reduceat(_log(result[item]), first, axis=0) / np.bincount(group)[:, None]
    there = (np.bincount(group, unlike) > 0)[group]
    result[item[there]] = softmax(mean, axis=1)[group[there]]


def _keep_counts(result: NDArray[np.float32], bags: CountBounds) -> None:
    """Brings the sums over bags to their counts."""
    if not len(bags.low):
        return
    sums = bags.counts(result[bags.item].astype(np.float64))
    size = bags.size[:, None]
    far = np.maximum(bags.low - sums, sums - bags.high) > MISSED * size
    missed = np.asarray(np.where(bags.high == 0, sums > 0, far).any(1))
    if not missed.any():
        return
    bags = bags.chosen(missed)
    log_p = np.where(bags.high[bags.bag] == 0, -np.inf, _log(result[bags.item]))
    result[bags.item] = _nearest(log_p, bags)


def _nearest(log_p: NDArray[np.float64], bags: CountBounds) -> NDArray[np.float64]:
    """[T, K] the nearest distributions whose sums are within bounds: class k of a bag gains the same log-odds for all
    its items, by coordinate ascent in the dual.
    """
    size = bags.size
    gain = np.zeros(bags.low.shape)
    bounded = np.flatnonzero((((bags.low > 0) | (bags.high < size[:, None])) & (bags.high > 0)).any(0))
    before = gain - 1
    for _ in range(SWEEPS):
        total = log_p + gain[bags.bag]
        p = softmax(total, axis=1)
        sums = bags.counts(p)
        missed = np.maximum(bags.low - sums, sums - bags.high).max(1)
        if (missed <= CLOSE * size).all() and np.abs(gain - before).max() < SETTLED:
            break
        before = gain.copy()
        for k in bounded.tolist():
            others = logsumexp(np.delete(total, k, axis=1), axis=1)
            with np.errstate(invalid="ignore"):
                odds = np.nan_to_num(log_p[:, k] - others, nan=-np.inf, posinf=WIDEST * 10, neginf=-WIDEST * 10)
            gain[:, k] = _gain(odds, gain[:, k], bags, k)
            total[:, k] = log_p[:, k] + gain[bags.bag, k]
    return np.asarray(softmax(log_p + gain[bags.bag], axis=1))


def _gain(odds: NDArray[np.float64], start: NDArray[np.float64], bags: CountBounds, k: int) -> NDArray[np.float64]:
    """[B] log-odds to add to those [T] of a class, so that its sums are within bounds: by Newton steps, or halving."""
    n_bags, close = len(start), CLOSE * bags.size / 10

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(bags.bag, values, n_bags))

    alone = sums(expit(odds))
    target = np.clip(alone, bags.low[:, k], bags.high[:, k])
    low, high = np.full(n_bags, -WIDEST), np.full(n_bags, WIDEST)
    gain = np.where(alone == target, 0.0, start)
    for _ in range(STEPS):
        p = expit(odds + gain[bags.bag])
        beyond = sums(p) - target
        going = np.abs(beyond) > close
        if not going.any():
            break
        high, low = np.where(beyond > 0, gain, high), np.where(beyond < 0, gain, low)
        moved = gain - beyond / np.maximum(sums(p * (1 - p)), LEAST)
        moved = np.where((moved > low) & (moved < high), moved, (low + high) / 2)
        gain = np.where(going, moved, gain)
    return gain

"""What gold has taught, applied to soft labels of the votes alone. On the host.

Shapes: N items, M sources, K classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.model.numerics.devices import at_once
from weaklabel.votes import Votes

LEAST_PROBABILITY = 1e-6
"""Soft labels are clipped here before their logarithm is corrected."""
SHARE_SCALE = 3.0
"""Scale of log vote shares as inputs of a correction."""
ROWS_AT_ONCE = 2**15


class Correction(NamedTuple):
    """A multinomial logistic regression whose offset is the log-posterior of the votes alone."""

    power: NDArray[np.float64]
    """[] of the posterior of the votes alone."""
    bias: NDArray[np.float64]
    """[2, K] log-odds of the classes: of all items, and those that fade with the number of votes n, as 1 / (1 + n)."""
    trust: NDArray[np.float64]
    """[M] log-odds that each source's vote adds to its class."""
    of_votes: NDArray[np.float64] | None = None
    """[M * K, K] log-odds that each source's vote for each class adds to all classes; None for nothing."""
    of_shares: NDArray[np.float64] | None = None
    """[K, K] log-odds that the scaled log vote shares add; None for nothing."""


class Gold(NamedTuple):
    """Soft labels of the votes alone, pooled with what known labels make of them."""

    pool: NDArray[np.float64]
    """[4] weights of: the votes alone, the small correction, the large one, and the best source."""
    small: Correction
    large: Correction
    best: NDArray[np.float64]
    """[M] log-odds of the best source's class where it votes; zero for all others."""
    n_labels: NDArray[np.int64]
    """[] number of known labels."""


class Inputs(NamedTuple):
    """What corrections read of N items."""

    log_odds: NDArray[np.float64]
    """[N, K] log of the soft labels of the votes alone, centred over the classes."""
    log_shares: NDArray[np.float64]
    """[N, K] scaled log of the smoothed vote shares."""
    fading: NDArray[np.float64]
    """[N] 1 / (1 + number of votes)."""
    votes: sp.csr_array[np.float64]
    """[N, M * K] the votes as class shares, source after source."""


def inputs_of(soft: NDArray[np.float32], votes: Votes) -> Inputs:
    """The inputs of corrections.

    Args:
        soft: [N, K] soft labels of the votes alone.
        votes: N items.
    """
    n_classes, shares = votes.n_classes, class_shares(votes)
    n_votes = np.asarray(shares.sum(1), np.float64)
    tally = own_classes(shares, np.ones(votes.n_sources))
    log_soft = np.log(np.maximum(soft, LEAST_PROBABILITY).astype(np.float64))
    return Inputs(
        log_odds=log_soft - log_soft.mean(1, keepdims=True),
        log_shares=SHARE_SCALE * np.log((tally + 1 / n_classes) / (n_votes + 1)[:, None]),
        fading=1 / (1 + n_votes),
        votes=shares,
    )


def class_shares(votes: Votes) -> sp.csr_array[np.float64]:
    """[N, M * K] each vote as a distribution over the classes: a candidate set is uniform over its classes."""
    n_classes, n_sources = votes.n_classes, votes.n_sources
    rows, sources, codes = (part.astype(np.int64) for part in votes.triples())
    plain = codes < n_classes
    places = [(rows[plain], sources[plain] * n_classes + codes[plain], np.ones(int(plain.sum())))]
    if not plain.all():
        of_symbols = votes.symbols.distributions()[codes[~plain]].astype(np.float64)
        vote, classes = np.nonzero(of_symbols)
        columns = sources[~plain][vote] * n_classes + classes
        places.append((rows[~plain][vote], columns, of_symbols[vote, classes]))
    row, column, value = (np.concatenate(parts) for parts in zip(*places, strict=True))
    return sp.csr_array((value, (row, column)), shape=(votes.n_items, n_sources * n_classes))


def own_classes(shares: sp.csr_array[np.float64], of_source: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, K] sum of a value [M] of each source over its votes for each class."""
    n_classes = shares.shape[1] // len(of_source)
    values = shares.data * of_source[shares.indices // n_classes]
    of_class = (values, shares.indices % n_classes, shares.indptr)
    return sp.csr_array(of_class, shape=(shares.shape[0], n_classes)).toarray()


def logits(correction: Correction, inputs: Inputs) -> NDArray[np.float64]:
    """[N, K] corrected log-odds."""
    total = correction.power * inputs.log_odds + own_classes(inputs.votes, correction.trust)
    total += correction.bias[0] + inputs.fading[:, None] * correction.bias[1]
    if correction.of_votes is not None and correction.of_shares is not None:
        total += inputs.votes @ correction.of_votes + inputs.log_shares @ correction.of_shares
    return np.asarray(total)


def corrected(soft: NDArray[np.float32], votes: Votes, gold: Gold) -> NDArray[np.float32]:
    """[N, K] soft labels after the correction.

    Args:
        soft: [N, K] of the votes alone.
        votes: N items.
        gold: of the fit.
    """
    result = np.empty_like(soft)

    def fill(start: int) -> None:
        rows = slice(start, start + ROWS_AT_ONCE)
        some = votes if votes.n_items <= ROWS_AT_ONCE else votes.select_items(np.arange(votes.n_items)[rows])
        result[rows] = pooled(soft[rows], inputs_of(soft[rows], some), gold)

    for _ in at_once(fill, range(0, votes.n_items, ROWS_AT_ONCE)):
        pass
    return result


def pooled(soft: NDArray[np.floating[Any]], inputs: Inputs, gold: Gold) -> NDArray[np.float64]:
    """[N, K] the pool of the soft labels of the votes alone, both corrections and the best source.

    Args:
        soft: [N, K] of the votes alone.
        inputs: of the same items.
        gold: of the fit.
    """
    total = gold.pool[0] * soft
    total = total + gold.pool[1] * softmax(logits(gold.small, inputs), axis=1)
    total += gold.pool[2] * softmax(logits(gold.large, inputs), axis=1)
    total += gold.pool[3] * softmax(own_classes(inputs.votes, gold.best), axis=1)
    return np.asarray(total / total.sum(1, keepdims=True))

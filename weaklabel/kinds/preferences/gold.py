"""What a few known pairs make of the probabilities: the corrections of `weaklabel.model.gold`, without a side.

Each judge is two sources: all of its answers to a pair, in either order, as shares of the outcomes; and those for the
item that was shown first. Every known pair stands there twice, as it is and with its sides exchanged, with half of the
weight each and in the same fold; so the corrections are the same whichever side is called left.

Shapes: P pairs, J judges, K outcomes, 2 or 3.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.kinds.preferences.records import LEFT, RIGHT, TIE, Comparisons
from weaklabel.model.gold.correction import LEAST_PROBABILITY, SHARE_SCALE, Gold, Inputs, own_classes, pooled
from weaklabel.model.gold.fitting import FEW, FOLDS, FOLDS_OF_FEW, fit_gold
from weaklabel.model.gold.regression import Labels
from weaklabel.model.settings import Settings

WRONG = 0.02
"""Probability that a known outcome is wrong: corrections stay finite where they separate the known pairs."""


def inputs_of(soft: NDArray[np.float64], shares: sp.csr_array[np.float64]) -> Inputs:
    """The inputs of corrections.

    Args:
        soft: [P, K] probabilities by the votes alone.
        shares: [P, 2 J K] of `shares_of`.
    """
    n_outcomes = soft.shape[1]
    whole = _of_judges(shares)
    n_votes = np.asarray(whole.sum(1), np.float64).ravel()
    tally = own_classes(whole, np.ones(whole.shape[1] // n_outcomes))
    log_soft = np.log(np.maximum(soft, LEAST_PROBABILITY))
    return Inputs(
        log_odds=log_soft - log_soft.mean(1, keepdims=True),
        log_shares=SHARE_SCALE * np.log((tally + 1 / n_outcomes) / (n_votes + 1)[:, None]),
        fading=1 / (1 + n_votes),
        votes=shares,
    )


def shares_of(comparisons: Comparisons, pairs: NDArray[np.int64], n_outcomes: int) -> sp.csr_array[np.float64]:
    """[P, 2 J K] answers to each pair: J sources of all answers, then J of those for the item shown first.

    Args:
        comparisons: merged: the smaller item stands left.
        pairs: [P, 2] ascending.
        n_outcomes: K.
    """
    n_items, n_judges = len(comparisons.item_names), len(comparisons.judge_names)
    keys = pairs[:, 0] * n_items + pairs[:, 1]
    row = np.searchsorted(keys, comparisons.left.astype(np.int64) * n_items + comparisons.right)
    judge, outcome = comparisons.judge.astype(np.int64), comparisons.outcome.astype(np.int64)
    weight = comparisons.weight.astype(np.float64)
    cell = row * n_judges + judge
    cells, place = np.unique(cell, return_inverse=True)
    share = weight / np.bincount(place, weight, len(cells))[place]
    won = np.select([comparisons.outcome == LEFT, comparisons.outcome == RIGHT], [1, -1], 0)
    for_first = (won != 0) & (won == comparisons.first)
    column = judge * n_outcomes + outcome
    rows = np.concatenate([row, row[for_first]])
    columns = np.concatenate([column, column[for_first] + n_judges * n_outcomes])
    values = np.concatenate([share, share[for_first]])
    shape = (len(pairs), 2 * n_judges * n_outcomes)
    return sp.csr_array((values, (rows, columns)), shape=shape)


def learn_from_gold(
    soft: NDArray[np.float64],
    shares: sp.csr_array[np.float64],
    known: NDArray[np.int64],
    outcome: NDArray[np.int8],
    seed: int,
) -> Gold:
    """Corrections, pooled with the votes alone and the best judge by cross-validated likelihood.

    Args:
        soft: [P, K] probabilities by the votes alone.
        shares: [P, 2 J K] of `shares_of`.
        known: [G] pairs.
        outcome: [G] of them.
        seed: of the folds.
    """
    n_known, n_outcomes = len(known), soft.shape[1]
    exchanged = _exchanged(n_outcomes)
    of_pairs, of_votes = soft[known], sp.csr_array(shares[known])
    both = np.concatenate([of_pairs, of_pairs[:, exchanged]])
    inputs = inputs_of(both, sp.csr_array(sp.vstack([of_votes, exchange_sides(of_votes, n_outcomes)])))
    target = np.where(np.eye(n_outcomes)[outcome] > 0, 1 - WRONG, WRONG / (n_outcomes - 1))
    labels = Labels(
        targets=np.concatenate([target, target[:, exchanged]]),
        weight=np.full(2 * n_known, 0.5),
        offset=np.zeros(n_outcomes),
    )
    n_folds = min(FOLDS_OF_FEW if n_known <= FEW else FOLDS, n_known)
    fold = np.empty(n_known, np.int64)
    fold[np.random.default_rng(seed).permutation(n_known)] = np.arange(n_known) % n_folds
    gold = fit_gold(inputs, labels, Settings(), seed, np.concatenate([fold, fold]))
    return gold._replace(n_labels=np.asarray(n_known))


def corrected(soft: NDArray[np.float64], shares: sp.csr_array[np.float64], gold: Gold) -> NDArray[np.float64]:
    """[P, K] probabilities after the correction, the mean of both ways to call the sides."""
    n_outcomes = soft.shape[1]
    exchanged = _exchanged(n_outcomes)
    one = pooled(soft, inputs_of(soft, shares), gold)
    other_soft, other_shares = soft[:, exchanged], exchange_sides(shares, n_outcomes)
    other = pooled(other_soft, inputs_of(other_soft, other_shares), gold)
    return np.asarray((one + other[:, exchanged]) / 2)


def exchange_sides(shares: sp.csr_array[np.float64], n_outcomes: int) -> sp.csr_array[np.float64]:
    """The same votes, left called right and right left."""
    outcome = shares.indices % n_outcomes
    turned = np.where(outcome == TIE, outcome, 1 - outcome)
    indices = shares.indices - outcome + turned
    return sp.csr_array((shares.data, indices, shares.indptr), shape=shares.shape)


def _exchanged(n_outcomes: int) -> list[int]:
    return [RIGHT, LEFT, TIE][:n_outcomes]


def _of_judges(shares: sp.csr_array[np.float64]) -> sp.csr_array[np.float64]:
    """[P, J K] all answers of each judge."""
    return sp.csr_array(shares[:, : shares.shape[1] // 2])

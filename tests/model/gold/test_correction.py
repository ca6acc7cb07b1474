"""Corrected soft labels against a computation that goes vote by vote, class by class."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes, one_of, soft
from weaklabel.model.gold import correction as correction_module
from weaklabel.model.gold.correction import Correction, Gold, corrected, inputs_of, logits

K, N_SOURCES = 3, 4
Real = NDArray[np.float64]
LEAN = [0.5, 0.3, 0.2]
PLAIN: list[list[Any]] = [[0, 1, -1, 2], [2, 2, 2, 2], [-1, -1, -1, -1], [-1, 0, -1, -1], [1, -1, 1, 0]]
SETS: list[list[Any]] = [
    [one_of(0, 1), 1, -1, 2],
    [one_of(1, 2), one_of(0, 2), 2, -1],
    [-1] * 4,
    [0, 0, one_of(0, 1), 1],
]
MIXED: list[list[Any]] = [[soft(LEAN), one_of(0, 1), 1, -1], [soft(LEAN[::-1]), -1, -1, soft(LEAN)], [2, 0, -1, -1]]
KINDS = pytest.mark.parametrize("cells", [PLAIN, SETS, MIXED], ids=["plain", "sets", "soft"])


def votes_of(cells: list[list[Any]]) -> Votes:
    matrix = np.empty((len(cells), N_SOURCES), object)
    for i, m in np.ndindex(matrix.shape):
        matrix[i, m] = cells[i][m]
    return Votes.from_dense(matrix, K)


def soft_of(n_items: int) -> NDArray[np.float32]:
    """Soft labels, of which one says nothing is possible but one class."""
    labels = np.random.default_rng(1).dirichlet(np.ones(K), n_items)
    labels[0] = [1, 0, 0]
    return labels.astype(np.float32)


def meaning(cell: Any) -> Real:
    """[K] the share of each class in a vote."""
    if isinstance(cell, int):
        return np.asarray([float(cell == k) for k in range(K)])
    if hasattr(cell, "classes"):
        return np.asarray([(k in cell.classes) / len(cell.classes) for k in range(K)])
    return np.asarray(cell.probabilities, float)


def random_correction(seed: int, *, large: bool) -> Correction:
    rng = np.random.default_rng(seed)
    return Correction(
        power=np.asarray(rng.uniform(0.5, 1.5)),
        bias=rng.normal(size=(2, K)),
        trust=rng.normal(size=N_SOURCES),
        of_votes=rng.normal(size=(N_SOURCES * K, K)) if large else None,
        of_shares=rng.normal(size=(K, K)) if large else None,
    )


def log_odds_by_hand(cells: list[list[Any]], labels: NDArray[Any], by: Correction) -> Real:
    """[N, K] up to a constant an item."""
    found = np.zeros((len(cells), K))
    for i, row in enumerate(cells):
        given = {m: meaning(cell) for m, cell in enumerate(row) if isinstance(cell, int) is False or cell >= 0}
        n_votes = len(given)
        logs = [np.log(max(float(p), 1e-6)) for p in labels[i]]
        for k in range(K):
            found[i, k] = float(by.power) * (logs[k] - sum(logs) / K) + by.bias[0, k] + by.bias[1, k] / (1 + n_votes)
            found[i, k] += sum(by.trust[m] * shares[k] for m, shares in given.items())
            if by.of_votes is None or by.of_shares is None:
                continue
            for j in range(K):
                found[i, k] += sum(shares[j] * by.of_votes[m * K + j, k] for m, shares in given.items())
                share = (sum(shares[j] for shares in given.values()) + 1 / K) / (n_votes + 1)
                found[i, k] += 3 * np.log(share) * by.of_shares[j, k]
    return found


def distribution(log_odds: Real) -> Real:
    weights = np.exp(log_odds)
    return np.asarray(weights / weights.sum(1, keepdims=True))


@KINDS
@pytest.mark.parametrize("large", [False, True])
def test_log_odds_are_the_sums_over_votes(cells: list[list[Any]], large: bool) -> None:
    labels, by = soft_of(len(cells)), random_correction(2, large=large)
    expected = log_odds_by_hand(cells, labels, by)
    for votes in (votes_of(cells), votes_of(cells).to_sparse()):
        np.testing.assert_allclose(logits(by, inputs_of(labels, votes)), expected, atol=1e-6)


@KINDS
def test_soft_labels_are_the_pool_of_what_corrections_say(
    cells: list[list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in blocks of rows."""
    labels, small, large = soft_of(len(cells)), random_correction(3, large=False), random_correction(4, large=True)
    best = np.array([0.0, 0, 1.7, 0])
    gold = Gold(
        pool=np.array([0.1, 0.2, 0.4, 0.3]), small=small, large=large, best=best, n_labels=np.asarray(9, np.int64)
    )
    of_best = np.zeros((len(cells), K))
    for i, row in enumerate(cells):
        if not isinstance(row[2], int) or row[2] >= 0:
            of_best[i] = 1.7 * meaning(row[2])
    experts = [labels, *(distribution(log_odds_by_hand(cells, labels, by)) for by in (small, large))]
    expected = sum(share * expert for share, expert in zip(gold.pool, [*experts, distribution(of_best)], strict=True))
    found = corrected(labels, votes_of(cells), gold)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32
    monkeypatch.setattr(correction_module, "ROWS_AT_ONCE", 2)
    np.testing.assert_allclose(corrected(labels, votes_of(cells), gold), found, atol=1e-7)


def test_nothing_learned_changes_nothing() -> None:
    labels = soft_of(len(PLAIN))
    nothing = Correction(power=np.asarray(1.0), bias=np.zeros((2, K)), trust=np.zeros(N_SOURCES))
    gold = Gold(
        pool=np.array([0.2, 0.5, 0.3, 0]),
        small=nothing,
        large=nothing,
        best=np.zeros(N_SOURCES),
        n_labels=np.asarray(2, np.int64),
    )
    np.testing.assert_allclose(corrected(labels, votes_of(PLAIN), gold), labels, atol=3e-6)

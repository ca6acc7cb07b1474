"""Krippendorff's alpha and Fleiss' kappa, against the examples of their authors and enumeration of all pairs."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes, one_of
from weaklabel.analysis import Reliability, fleiss_kappa, krippendorff_alpha
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

# Four observers, twelve units: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C and D.
OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
# Thirty patients, six psychiatrists, five diagnoses: Fleiss (1971), table 1.
DIAGNOSES = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""


def _observers() -> Votes:
    rows = [[-1 if cell == "." else int(cell) - 1 for cell in line.split()] for line in OBSERVERS.strip().split("\n")]
    return Votes.from_dense(np.array(rows).T, 5)


def _diagnoses() -> Votes:
    rows = [np.repeat(np.arange(5), [int(cell) for cell in item]) for item in DIAGNOSES.split()]
    return Votes.from_dense(np.array(rows), 5)


@pytest.mark.parametrize(("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_authors_example(metric: Any, published: float) -> None:
    found = krippendorff_alpha(_observers(), metric)
    assert found.value == pytest.approx(published, abs=5e-4)
    assert (found.n_items, found.n_votes) == (11, 40)
    assert found.low < found.value < found.high


def test_kappa_of_the_authors_example() -> None:
    votes = _diagnoses()
    assert votes.counts().sum(0).tolist() == [26, 26, 30, 55, 43]  # the paper's totals
    found = fleiss_kappa(votes)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.low < 0.430 < found.high


def _by_pairs(codes: NDArray[np.int64], metric: str) -> float:
    """Alpha by going through all pairs, as its definition says."""
    items = [row[row >= 0].tolist() for row in codes if (row >= 0).sum() > 1]
    values = [one for item in items for one in item]
    total = np.bincount(values, minlength=codes.max() + 1)

    def apart(a: int, b: int) -> float:
        if metric == "nominal":
            return float(a != b)
        if metric == "interval":
            return float(a - b) ** 2
        low, high = min(a, b), max(a, b)
        return float(total[low : high + 1].sum() - (total[a] + total[b]) / 2) ** 2

    observed = sum(apart(a, b) / (len(item) - 1) for item in items for a, b in permutations(item, 2)) / len(values)
    expected = sum(apart(a, b) for a, b in permutations(values, 2)) / (len(values) * (len(values) - 1))
    return 1 - observed / expected


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("sparse", [False, True])
def test_alpha_is_that_of_all_pairs(metric: Any, sparse: bool) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, (40, 1))
    codes = np.where(rng.random((40, 5)) < 0.6, truth, rng.integers(-1, 4, (40, 5)))
    votes = Votes.from_dense(codes, 4)
    found = krippendorff_alpha(votes.to_sparse() if sparse else votes, metric, n_bootstrap=0)
    assert found.value == pytest.approx(_by_pairs(codes, metric), abs=1e-12)
    assert np.isnan(found.low)


def test_blocks_and_groups_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    codes = np.where(rng.random((3000, 4)) < 0.7, rng.integers(0, 3, (3000, 1)), rng.integers(-1, 3, (3000, 4)))
    votes = Votes.from_dense(codes, 3)
    whole = krippendorff_alpha(votes, "ordinal")
    monkeypatch.setattr("weaklabel.analysis.reliability.BLOCK_CELLS", 300)
    monkeypatch.setattr("weaklabel.analysis.reliability.MOST_GROUPS", 400)
    parts = krippendorff_alpha(votes, "ordinal")
    assert parts.value == pytest.approx(whole.value, abs=1e-12)
    assert parts.n_items == whole.n_items
    assert parts.high - parts.low == pytest.approx(whole.high - whole.low, rel=0.25)


def test_the_interval_covers() -> None:
    """95 % intervals of 100 items, against alpha of very many items of the same kind."""
    rng = np.random.default_rng(3)

    def draw(n: int) -> Votes:
        truth = rng.integers(0, 2, (n, 1))
        return Votes.from_dense(np.where(rng.random((n, 4)) < 0.8, truth, 1 - truth), 2)

    true = krippendorff_alpha(draw(200_000), n_bootstrap=0).value
    found = [krippendorff_alpha(draw(100), n_bootstrap=300, seed=at) for at in range(100)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.88


def test_agreement_of_all_and_of_none() -> None:
    assert krippendorff_alpha(Votes.from_dense([[0, 0], [1, 1]], 2), n_bootstrap=0).value == 1
    assert np.isnan(krippendorff_alpha(Votes.from_dense([[0, 0], [0, 0]], 2)).value)
    assert krippendorff_alpha(Votes.from_dense([[0, 1], [1, 0]], 2), n_bootstrap=0).value < 0


def test_what_is_said_of_it() -> None:
    found = Reliability(0.74321, 0.5, 0.9, 0.95, 11, 40, "Krippendorff's alpha, nominal")
    assert str(found) == "0.743 [0.500, 0.900]"
    assert found.to_pandas().loc[0, "n_items"] == 11


def test_bad_input_is_refused() -> None:
    votes = Votes.from_dense([[0, 1, -1], [1, 1, 1]], 2)
    with pytest.raises(InvalidVotesError, match="2 to 3: krippendorff_alpha"):
        fleiss_kappa(votes)
    with pytest.raises(InvalidVotesError, match="two votes or more"):
        krippendorff_alpha(Votes.from_dense([[0, -1]], 2))
    with pytest.raises(InvalidVotesError, match="candidate sets"):
        krippendorff_alpha(Votes.from_dense([[one_of(0, 1), 2]], 3))
    with pytest.raises(InvalidArgumentError, match="metric must be one of nominal"):
        krippendorff_alpha(votes, "ratio")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="confidence"):
        krippendorff_alpha(votes, confidence=95)

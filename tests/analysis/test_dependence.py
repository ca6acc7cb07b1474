"""How many independent votes sources are worth: against loops over items and pairs, and closed forms."""

import itertools
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, Votes, one_of
from weaklabel.analysis import effective_votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, NotFittedError


def _random_votes(seed: int, n_items: int = 40, n_sources: int = 5) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 3, (n_items, n_sources))
    votes[:, 1] = np.where(rng.random(n_items) < 0.6, votes[:, 0], votes[:, 1])
    votes[rng.random(votes.shape) < 0.25] = -1
    return votes


def _by_loops(votes: np.ndarray[Any, Any], soft: np.ndarray[Any, Any], chosen: list[int]) -> tuple[float, Any]:
    """The number of some sources, and the correlations: item by item, class by class."""
    n = votes.shape[1]
    covariance, correlation = np.zeros((n, n)), np.full((n, n), np.nan)
    for a, b in itertools.product(range(n), repeat=2):
        items = [i for i in range(len(votes)) if votes[i, a] >= 0 and votes[i, b] >= 0]
        if not items:
            continue
        first = second = both = 0.0
        for i in items:
            for truth in range(soft.shape[1]):
                first += soft[i, truth] * (votes[i, a] != truth)
                second += soft[i, truth] * (votes[i, b] != truth)
                both += soft[i, truth] * (votes[i, a] != truth) * (votes[i, b] != truth)
        first, second, both = first / len(items), second / len(items), both / len(items)
        covariance[a, b] = both - first * second
        if 0 < first < 1 and 0 < second < 1:
            correlation[a, b] = covariance[a, b] / np.sqrt(first * (1 - first) * second * (1 - second))
    part = covariance[np.ix_(chosen, chosen)]
    number = len(chosen) * np.trace(part) / part.sum()
    return float(np.clip(number, 1, len(chosen))), correlation


@pytest.mark.parametrize("kind", ["gold", "soft labels"])
@pytest.mark.parametrize("seed", range(3))
def test_numbers_agree_with_loops(kind: str, seed: int) -> None:
    votes, rng = _random_votes(seed), np.random.default_rng(seed + 10)
    votes[:20, 3], votes[20:, 4] = -1, -1  # a pair without a shared item
    gold = rng.integers(0, 3, len(votes))
    soft = np.eye(3)[gold] if kind == "gold" else rng.dirichlet([0.4, 0.4, 0.4], len(votes))
    families = {"source_0": "a", "source_1": "a", "source_3": "b", "source_2": "b"}
    found = effective_votes(Votes.from_dense(votes, 3), gold if kind == "gold" else soft, families=families)
    everyone = list(range(5))
    number, pairs = _by_loops(votes, soft, everyone)
    assert 1 < number < 5
    assert found.number == pytest.approx(number)
    assert found.by == kind
    np.testing.assert_allclose(found.pairs, pairs, atol=1e-9)
    assert np.isnan(found.pairs[3, 4])
    assert found.correlation == pytest.approx(np.nanmean(pairs[np.triu_indices(5, 1)]))
    for one in everyone:
        assert found.without[f"source_{one}"] == pytest.approx(
            _by_loops(votes, soft, [m for m in everyone if m != one])[0]
        )
    assert found.families == pytest.approx(
        {"a": _by_loops(votes, soft, [0, 1])[0], "b": _by_loops(votes, soft, [2, 3])[0]}
    )
    assert found.interval[0] <= found.number <= found.interval[1]


def test_items_of_unknown_gold_and_silent_sources_are_left_out() -> None:
    votes, gold = _random_votes(0), np.random.default_rng(1).integers(0, 3, 40)
    gold[30:] = -1
    votes[:30, 2] = -1
    found = effective_votes(Votes.from_dense(votes, 3), gold)
    kept = effective_votes(Votes.from_dense(votes[:30, [0, 1, 3, 4]], 3), gold[:30])
    assert found.sources == ("source_0", "source_1", "source_3", "source_4")
    assert found.n_sources == 4
    assert (found.number, found.interval) == (kept.number, kept.interval)
    chosen = effective_votes(Votes.from_dense(votes, 3), gold, sources=["source_0", "source_1", "source_3", "source_4"])
    assert chosen.number == found.number


def _common_factor(rng: np.random.Generator, n_items: int, n_sources: int, rho: float) -> np.ndarray[Any, Any]:
    """Errors at a rate of .2 of which every pair has correlation rho."""
    common, own = rng.random((n_items, 1)) < 0.2, rng.random((n_items, n_sources)) < 0.2
    return np.where(rng.random((n_items, n_sources)) < rho**0.5, common, own)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5])
def test_a_common_factor_gives_the_closed_form(rho: float) -> None:
    wrong = _common_factor(np.random.default_rng(0), 40_000, 8, rho)
    found = effective_votes(Votes.from_dense(wrong.astype(int), 2), np.zeros(len(wrong), int))
    assert found.number == pytest.approx(8 / (1 + 7 * rho), rel=0.03)
    assert found.correlation == pytest.approx(rho, abs=0.01)


def test_intervals_cover() -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(40):
        wrong = _common_factor(rng, 150, 8, 0.3)
        low, high = effective_votes(Votes.from_dense(wrong.astype(int), 2), np.zeros(150, int)).interval
        inside += low <= 8 / (1 + 7 * 0.3) <= high
    assert 32 <= inside <= 39


def test_exact_copies_count_once() -> None:
    errors = np.array(list(itertools.product([0, 1], repeat=3)))  # three sources whose errors are independent exactly
    votes = Votes.from_dense(np.repeat(errors, 4, axis=1), 2)
    found = effective_votes(votes, np.zeros(8, int))
    assert found.number == pytest.approx(3)
    assert found.families == {}
    assert found.without["source_0"] == pytest.approx(11 * 11 / (3**2 + 4**2 + 4**2))


def test_sparse_and_dense_products_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, gold = Votes.from_dense(_random_votes(3), 3), np.zeros(40, int)
    dense = effective_votes(votes, gold)
    monkeypatch.setattr("weaklabel.analysis.common_errors.DENSE", 2.0)
    sparse = effective_votes(votes, gold)
    assert sparse.number == pytest.approx(dense.number)
    assert sparse.interval == pytest.approx(dense.interval)


def test_the_number_is_held_between_one_and_all() -> None:
    apart = effective_votes(Votes.from_dense([[0, 1], [1, 0], [0, 1], [1, 0]], 2), [0, 0, 0, 0])
    assert apart.number == 2
    flawless = effective_votes(Votes.from_dense([[0, 0], [0, 0]], 2), [0, 0])
    assert (flawless.number, flawless.interval) == (2, (1, 2))
    assert np.isnan(flawless.correlation)
    alone = effective_votes(Votes.from_dense([[0], [1]], 2), [0, 0])
    assert (alone.number, alone.interval, alone.without) == (1, (1, 1), {"source_0": 0})


def test_it_says_so_in_words() -> None:
    votes = Votes.from_dense(_random_votes(0, n_sources=9), 3)
    by_gold = str(effective_votes(votes, np.zeros(40, int), families={"source_0": "gpt"}))
    assert by_gold.startswith("9 sources, worth ")
    assert "by gold of 40 items; without " in by_gold
    assert "'gpt': 1.0" in by_gold
    assert by_gold.count(": ") == 6 + 2  # three sources at either end, and the family
    assert "upper bound" not in by_gold
    assert "upper bound: 50 gold labels tell" in str(effective_votes(votes, np.full((40, 3), 1 / 3)))


def test_the_label_model_passes_its_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    matrix = np.where(_common_factor(rng, 300, 4, 0.0), 1 - truth[:, None], truth[:, None])
    model = LabelModel(2)
    with pytest.raises(NotFittedError):
        model.effective_votes(matrix)
    model.fit(matrix)
    votes = Votes.from_dense(matrix, 2)
    assert model.effective_votes(matrix).number == effective_votes(votes, model.predict_proba(matrix)).number
    by_gold = model.effective_votes(matrix, truth, families={"source_0": "a", "source_1": "a"})
    assert by_gold.number == effective_votes(votes, truth).number
    assert set(by_gold.families) == {"a"}


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        ([0, 0], {}, "gold must hold a class"),
        ([-1, -1, -1], {}, "no vote on an item with a label"),
        (np.full((3, 3), 1 / 3), {}, "got shape"),
        (np.full((3, 2), 0.7), {}, "rows sum to one"),
        ([0, 1, 0], {"families": {"x": "a"}}, "there is no source 'x'"),
    ],
)
def test_what_does_not_fit_is_refused(labels: Any, arguments: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        effective_votes(Votes.from_dense([[0, 1], [1, 1], [0, -1]], 2), labels, **arguments)


def test_votes_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="plain votes only"):
        effective_votes(Votes.from_dense([[0, one_of(0, 1)]], 3), [0])
    with pytest.raises(InvalidArgumentError, match="at most 2,000 sources"):
        effective_votes(Votes.from_dense(np.zeros((1, 2_001), int), 2), [0])
    with pytest.raises(InvalidVotesError, match="unknown source 'x'"):
        effective_votes(Votes.from_dense([[0, 1]], 2), [0], sources=["x"])

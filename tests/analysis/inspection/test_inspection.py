"""Confusions, pairs, contested items, leaving sources out, and where a source is wrong: against counting by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote, Votes, one_of, soft
from weaklabel.analysis import (
    contested_items,
    leave_one_source_out,
    pairwise_agreement,
    source_confusions,
    source_pairs,
    where_wrong,
)
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, NotFittedError

NAMES = ["ham", "spam"]


def _crowd(seed: int = 0, n: int = 400, n_classes: int = 2) -> tuple[Votes, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    said = np.empty((n, 5), np.int64)
    for at, accuracy in enumerate([0.9, 0.8, 0.75, 0.7, 0.65]):
        said[:, at] = np.where(rng.random(n) < accuracy, truth, (truth + 1) % n_classes)
    said[rng.random(said.shape) < 0.2] = -1
    return Votes.from_dense(said, n_classes, sources=list("abcde"), items=[f"i{at}" for at in range(n)]), truth


def test_confusions_by_gold_are_counts() -> None:
    votes, truth = _crowd(n_classes=3)
    gold = np.where(np.arange(400) < 300, truth, -1)
    found = source_confusions(votes, gold, classes=["x", "y", "z"])
    codes = votes.to_dense()[:300, 1]
    table = np.zeros((3, 3))
    np.add.at(table, (truth[:300][codes >= 0], codes[codes >= 0]), 1)
    assert np.array_equal(found.counts[1], table)
    assert found.of("b") == pytest.approx(table / table.sum(1, keepdims=True))
    assert (found.low <= found.rates).all()
    assert (found.rates <= found.high).all()
    frame = found.to_pandas()
    line = frame[(frame["source"] == "b") & (frame["truth"] == "x") & (frame["vote"] == "y")]
    assert line["count"].tolist() == [table[0, 1]]
    assert found.by == "gold"


def test_confusions_by_a_model_are_expected_counts() -> None:
    votes, _ = _crowd()
    model = LabelModel(classes=NAMES).fit(votes)
    found, soft = source_confusions(votes, model), model.predict_proba(votes)
    says = votes.to_dense()[:, 0] == 1
    assert found.counts[0, 0, 1] == pytest.approx(soft[says, 0].sum(), rel=1e-5)
    assert found.classes == ("ham", "spam")
    assert np.array_equal(found.rates, source_confusions(votes, soft).rates)
    assert source_confusions(votes, model, sources=["c"]).rates[0] == pytest.approx(found.of("c"))


def test_intervals_of_confusions_cover_and_are_wider_without_gold() -> None:
    inside, widths = [], []
    for seed in range(8):
        votes, truth = _crowd(seed)
        by_model = source_confusions(votes, LabelModel(2).fit(votes))
        by_gold = source_confusions(votes, truth)
        true = np.array([0.9, 0.8, 0.75, 0.7, 0.65])
        inside.append(
            [np.mean((one.low[:, 0, 0] <= true) & (true <= one.high[:, 0, 0])) for one in (by_model, by_gold)]
        )
        widths.append([(one.high - one.low).mean() for one in (by_model, by_gold)])
    assert np.mean(inside, axis=0)[0] >= 0.8
    assert np.mean(inside, axis=0)[1] >= 0.8
    assert np.mean(widths, axis=0)[0] > 1.1 * np.mean(widths, axis=0)[1]


def test_pairs_know_agreement_errors_and_copies() -> None:
    votes, truth = _crowd(n=1000)
    twice = Votes.concatenate_sources([votes, Votes.from_dense(votes.to_dense()[:, 4:], 2, sources=["copy"])])
    model = LabelModel(2).fit(twice)
    found = source_pairs(twice, model)
    assert found.copies is not None
    assert (found.first[0], found.second[0], bool(found.copies[0])) == ("e", "copy", True)
    assert found.copies.sum() == 1
    by_gold = source_pairs(twice, truth)
    assert by_gold.error_correlation[0] == pytest.approx(1)
    assert by_gold.copies is None
    frame = found.to_pandas().set_index(["source", "other"])
    assert frame.loc[("a", "b"), "kappa"] == pytest.approx(pairwise_agreement(twice).kappa[0, 1])
    assert pairwise_agreement(twice).to_pandas().shape == (15, 5)


def test_contested_items_have_most_support_for_two_classes() -> None:
    cells = [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [-1, -1, 0, 1], [1, 1, -1, -1]]
    votes = Votes.from_dense(cells, 2, sources=list("abcd"), items=list("vwxyz"))
    found = contested_items(votes, classes=NAMES)
    assert found.item_ids == ("w", "y", "x")  # two against two, one against one, one against three
    assert found.support.tolist() == [[2, 2], [1, 1], [3, 1]]
    assert found.votes[0] == {"a": "ham", "b": "ham", "c": "spam", "d": "spam"}
    assert found.to_pandas().loc[2, "votes"] == "a: ham, b: ham, c: ham, d: spam"
    assert contested_items(votes, n=1).items.tolist() == [1]


def test_votes_for_several_classes_are_contested_too() -> None:
    cells: list[list[Any]] = [
        [one_of(0, 1), 2, 2],
        [one_of(0, 1), one_of(0, 1), -1],
        [0, soft([0.5, 0.25, 0.25]), -1],
        [1, 1, 1],
    ]
    votes = Votes.from_dense(cells, 3, sources=list("abc"))
    found = contested_items(votes, classes=["ham", "spam", "ad"])
    # Half a vote for each class of a set of two; the second item has one vote twice, and the last one class.
    assert found.items.tolist() == [0, 2]
    assert found.support == pytest.approx(np.array([[2, 0.5], [1.5, 0.25]]))
    assert found.votes[0]["b"] == "ad"
    assert "one_of" in found.votes[0]["a"]


def test_contested_items_weigh_votes_by_accuracy() -> None:
    votes, _ = _crowd()
    model = LabelModel(classes=NAMES).fit(votes)
    found = contested_items(votes, model, n=5)
    assert np.array_equal(contested_items(votes.to_sparse(), model, n=5).items, found.items)
    weight = np.maximum(np.log(model.source_accuracy / (1 - model.source_accuracy)), 0)
    codes = votes.to_dense()
    support = np.stack([((codes == k) * weight).sum(1) for k in range(2)], 1)
    assert found.support[:, 1] == pytest.approx(np.sort(support.min(1))[::-1][:5])
    assert found.probability is not None
    assert found.probability == pytest.approx(model.predict_proba(votes)[found.items, found.first])
    with pytest.raises(InvalidVotesError, match="'c' is not known to the model"):
        contested_items(votes, LabelModel(2).fit(votes.select_sources(["a", "b"])))


@pytest.mark.parametrize("refit", [True, False])
def test_leaving_a_source_out_is_fitting_without_it(refit: bool) -> None:
    votes, truth = _crowd()
    model = LabelModel(classes=NAMES, seed=1).fit(votes)
    before = model.predict_proba(votes)
    found = leave_one_source_out(votes, model, gold=truth, refit=refit)
    labels = model.predict(votes)
    for name in "ae":
        others = votes.select_sources([one for one in "abcde" if one != name])
        reader = LabelModel(classes=NAMES, seed=1).fit(others) if refit else model
        now, at = reader.predict(others), found.sources.index(name)
        assert found.flipped[at] == ((labels >= 0) & (now >= 0) & (now != labels)).sum()
        assert found.opened[at] == ((labels >= 0) & (now < 0)).sum()
        assert found.accuracy is not None
        assert found.accuracy[at] == pytest.approx((now == truth).mean())
    assert found.sources[0] == "a"  # the best one is missed most
    assert f"- without 'a', {found.flipped[0]} labels flip" in str(found)
    assert np.array_equal(model.predict_proba(votes), before)
    assert found.to_pandas()["gain"].min() == pytest.approx(found.to_pandas().loc[0, "gain"], abs=0.02)


def test_leaving_out_takes_what_the_fit_was_given() -> None:
    votes, truth = _crowd()
    given: dict[str, Any] = {"gold": np.where(np.arange(400) < 40, truth, -1), "bounds": {"a": (0.8, 1.0)}}
    model = LabelModel(2).fit(votes, **given)
    found = leave_one_source_out(votes, model, sources=["a"], fit=given)
    others = votes.select_sources(list("bcde"))
    now = LabelModel(2).fit(others, gold=given["gold"]).predict(others)
    assert found.flipped.tolist() == [int(((now >= 0) & (now != model.predict(votes))).sum())]
    assert leave_one_source_out(votes, MajorityVote(2)).opened.sum() > 0


def test_where_a_source_is_wrong_by_gold() -> None:
    votes, truth = _crowd()
    codes = votes.to_dense().copy()
    site = np.where(np.arange(400) % 4 == 0, "new", "old")
    codes[(site == "new") & (codes[:, 0] >= 0), 0] = 1 - truth[(site == "new") & (codes[:, 0] >= 0)]
    broken = Votes.from_dense(codes, 2, sources=votes.source_names, items=votes.item_ids)
    found = where_wrong(broken, "a", truth, by=pd.DataFrame({"site": site}), classes=NAMES)
    assert (found.columns[:2], found.values[:2]) == (("(all)", "site"), ("", "new"))
    assert found.rate[1] == 1
    voted = codes[:, 0] >= 0
    assert found.n_votes[0] == voted.sum()
    assert found.rate[0] == pytest.approx((codes[voted, 0] != truth[voted]).mean())
    frame = found.to_pandas().set_index(["column", "value"])
    of_spam = voted & (truth == 1)
    assert frame.loc[("(true class)", "spam"), "rate"] == pytest.approx((codes[of_spam, 0] != 1).mean())
    says_spam = codes[:, 0] == 1
    assert frame.loc[("(vote)", "spam"), "wrong"] == (truth[says_spam] != 1).sum()
    assert (found.low <= found.rate).all()
    assert (found.rate <= found.high).all()


def test_where_a_source_is_wrong_by_a_model() -> None:
    votes, _ = _crowd()
    model = LabelModel(classes=NAMES).fit(votes)
    found, soft, says = where_wrong(votes, "e", model), model.predict_proba(votes), votes.to_dense()[:, 4]
    voted = np.flatnonzero(says >= 0)
    assert found.wrong[0] == pytest.approx((1 - soft[voted, says[voted]]).sum(), rel=1e-5)
    assert found.by == "soft labels"


def test_bad_input_is_refused() -> None:
    votes, truth = _crowd()
    with pytest.raises(InvalidVotesError, match="plain votes only"):
        source_confusions(Votes.from_dense([[one_of(0, 1), 2]], 3), [0])
    with pytest.raises(InvalidArgumentError, match="2 classes, 3 names"):
        source_confusions(votes, truth, classes=["x", "y", "z"])
    with pytest.raises(InvalidArgumentError, match="gold holds no label"):
        where_wrong(votes, "a", np.full(400, -1))
    with pytest.raises(InvalidArgumentError, match="truth must be gold"):
        where_wrong(votes, "a", np.ones((3, 2)) / 2)
    with pytest.raises(InvalidArgumentError, match="sum to one"):
        where_wrong(votes, "a", np.ones((400, 2)))
    with pytest.raises(InvalidVotesError, match="unknown source 'z'"):
        where_wrong(votes, "z", truth)
    with pytest.raises(InvalidArgumentError, match="without the only source"):
        leave_one_source_out(votes.select_sources(["a"]), MajorityVote(2))
    with pytest.raises(NotFittedError):
        leave_one_source_out(votes, LabelModel(2))

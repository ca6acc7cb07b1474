"""Majority vote has the methods of the label model, and its answers are those of counting by hand."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote, Votes, one_of, soft
from weaklabel.analysis import effective_votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.votes.chunks import VoteChunks

NAMES = ["ham", "spam", "eggs"]
NOT_OF_SHARES = {
    "source_accuracy": "a vote share takes all sources for equally good",
    "source_accuracy_interval": "the same",
    "confusion_matrices": "the same",
    "n_iter": "nothing iterates",
    "converged": "nothing iterates",
    "objective": "no likelihood",
    "diagnostics": "they are of a fit by EM",
    "warnings": "the same",
    "group_names": "groups are not used",
    "group_balance": "the same",
    "feature_strength": "features are not used",
    "learn_votes": "what sources would vote is a model of its own, which fits more than shares",
    "predict_vote_proba": "the same",
    "soft_labels": "the same",
    "item_disagreement": "the same",
    "source_groups": "the same",
    "partial_fit": "shares do not change with time",
    "skill_at": "the same",
    "skill_jumps": "the same",
    "half_lives": "the same",
    "from_server": "servers fit label models",
}


def _problem(n: int = 60) -> tuple[Votes, NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, n)
    said = np.where(rng.random((n, 4)) < 0.6, truth[:, None], rng.integers(-1, 3, (n, 4)))
    said[0] = -1
    return Votes.from_dense(said, 3, sources=list("abcd"), items=[f"i{at}" for at in range(n)]), truth


def _public(cls: type[Any]) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_it_has_every_public_method_of_the_label_model_that_a_share_can_answer() -> None:
    assert _public(LabelModel) - _public(MajorityVote) == set(NOT_OF_SHARES)
    assert not _public(MajorityVote) - _public(LabelModel)
    assert all(f"`{name}`" in (MajorityVote.__doc__ or "") for name in NOT_OF_SHARES)


def test_each_method_takes_what_that_of_the_label_model_takes_but_side_information() -> None:
    beside = {"prior", "groups", "bags", "features", "times", "unknown"}
    for name in sorted(_public(MajorityVote) - {"fit"}):  # which takes anything, to be exchanged
        mine, other = inspect.getattr_static(MajorityVote, name), inspect.getattr_static(LabelModel, name)
        assert type(mine) is type(other), name
        if not isinstance(mine, property):
            mine, other = getattr(MajorityVote, name), getattr(LabelModel, name)
            assert list(inspect.signature(mine).parameters) == [
                one for one in inspect.signature(other).parameters if one not in beside
            ], name


def test_attributes_of_a_fit_are_those_of_counting() -> None:
    votes, _ = _problem()
    codes, shares = votes.to_dense(), np.zeros(3)
    for row in codes[1:]:
        cast = row[row >= 0]
        shares += np.bincount(cast, minlength=3) / max(len(cast), 1)
    n_voted = int((codes >= 0).any(1).sum())
    halves = [votes.select_items(np.arange(30)), votes.select_items(np.arange(30, 60))]
    for given in (votes, votes.to_sparse(), VoteChunks(halves, 3)):
        model = MajorityVote(classes=NAMES).fit(given)
        np.testing.assert_allclose(model.class_balance, shares / n_voted, rtol=1e-6)
        assert model.source_names == tuple("abcd")
        np.testing.assert_allclose(model.coverage, (codes >= 0).mean(0))
    assert "coverage" in model._repr_html_()
    with pytest.raises(NotFittedError):
        MajorityVote(3).class_balance  # noqa: B018  # raises
    with pytest.raises(InvalidVotesError, match="over 3 classes, the model over 2"):
        MajorityVote(2).fit(VoteChunks(halves, 3))


def test_an_explanation_adds_up_to_the_shares() -> None:
    cells: list[list[Any]] = [[0, one_of(0, 2), soft([0.5, 0.25, 0.25]), -1], [1, 1, 0, 1], [-1] * 4]
    votes = Votes.from_dense(cells, 3, sources=list("abcd"))
    model = MajorityVote(classes=NAMES).fit(votes)
    mixed = model.explain(votes, 0)
    assert mixed.source_names == ("a", "b", "c")
    np.testing.assert_allclose(mixed.sources, [[1 / 3, 0, 0], [1 / 6, 0, 1 / 6], [1 / 6, 1 / 12, 1 / 12]], rtol=1e-6)
    for row in range(3):
        np.testing.assert_allclose(model.explain(votes, row).probabilities, model.predict_proba(votes)[row], rtol=1e-6)
    plain = model.explain(votes, -2)
    assert plain.vote_texts == ("spam", "spam", "ham", "spam")
    lines = str(plain).splitlines()
    assert lines[0].split() == ["vote", *NAMES]
    assert lines[1].split() == ["a", "spam", "+0.000", "+0.250", "+0.000"]
    assert lines[-1].split() == ["vote", "share", "0.250", "0.750", "0.000"]
    assert "<td>+0.250</td>" in plain._repr_html_()
    assert model.explain(votes, 2).sources.shape == (0, 3)
    assert str(model.explain(votes, 2)).splitlines()[1].split()[2:] == ["0.333"] * 3
    for row, told in ((3, "not among the 3 items"), (True, "must be the position")):
        with pytest.raises(InvalidArgumentError, match=told):
            model.explain(votes, row)


def test_a_file_gives_the_model_back(tmp_path: Path) -> None:
    votes, truth = _problem()
    model = MajorityVote(classes=NAMES, seed=4).fit(votes, gold=truth)
    model.save(tmp_path / "majority.npz")
    again = MajorityVote.load(tmp_path / "majority.npz")
    assert again.get_params()["seed"] == 4
    assert (again.classes, again.source_names) == (model.classes, model.source_names)
    assert np.array_equal(again.class_balance, model.class_balance)
    assert np.array_equal(again.coverage, model.coverage)
    assert np.array_equal(again.predict(votes, "random"), model.predict(votes, "random"))
    assert again.to_bytes() == model.to_bytes()
    with pytest.raises(InvalidArgumentError, match="calibrate_sets"):
        again.predict_set(votes)
    sets = again.calibrate_sets(votes, truth).predict_set(votes, 0.8)
    assert np.array_equal(sets, model.predict_set(votes, 0.8))
    with pytest.raises(NotFittedError):
        MajorityVote(3).to_bytes()


def test_files_of_other_kinds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, _ = _problem()
    majority, model = MajorityVote(classes=NAMES).fit(votes), LabelModel(classes=NAMES).fit(votes)
    with pytest.raises(ModelFileError, match="not a label model but a majority vote"):
        LabelModel.from_bytes(majority.to_bytes())
    with pytest.raises(ModelFileError, match="not a majority vote but a label model"):
        MajorityVote.from_bytes(model.to_bytes())
    with pytest.raises(ModelFileError, match="not a majority vote"):
        MajorityVote.from_bytes(b"PK")
    with pytest.raises(ModelFileError, match="too large"):
        MajorityVote.from_bytes(majority.to_bytes(), most_bytes=100)
    totals = majority._fitted
    for damaged in (totals._replace(coverage=totals.coverage[1:]), totals._replace(class_balance=np.full(3, np.nan))):
        majority._state = damaged
        with pytest.raises(ModelFileError, match="does not hold"):
            MajorityVote.from_bytes(majority.to_bytes())
    monkeypatch.setattr("weaklabel.model.storage.MAJORITY_VERSION", 2)
    later = majority.to_bytes()
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="version 2; this library reads 1"):
        MajorityVote.from_bytes(later)


def test_sets_hold_the_truth_as_often_as_asked() -> None:
    """The threshold by hand: of the scores 1 - share of the truth, the ceil((n + 1) * coverage)-th smallest."""
    votes, truth = _problem(400)
    gold = np.where(np.arange(400) < 99, truth, -1)
    model = MajorityVote(3).fit(votes, gold=gold)
    shares = model.predict_proba(votes)
    scores = np.sort(1 - shares[np.arange(99), truth[:99]])
    assert np.array_equal(model.predict_set(votes, 0.8), 1 - shares <= scores[79])
    held = model.predict_set(votes, 0.8)[99:][np.arange(301), truth[99:]].mean()
    assert held >= 0.75  # 0.8, less two standard errors
    with pytest.raises(InvalidArgumentError, match="exact gold"):
        MajorityVote(3).fit(votes, gold=gold, gold_error=0.1).predict_set(votes)
    with pytest.raises(InvalidArgumentError, match="gold"):
        MajorityVote(3).fit(votes, gold=[0])


def test_what_to_label_next_follows_doubt() -> None:
    sure, open_ones = [[0, 0, 0]] * 300, [[0, 1, 2]] * 100
    votes = Votes.from_dense(sure + open_ones, 3)
    drawn = MajorityVote(3, seed=1).next_to_label(votes, 40)
    of_open = (drawn.items >= 300).mean()
    assert 0.45 < of_open < 0.8  # 5/8 of the probability: half of it even, half all theirs
    np.testing.assert_allclose(drawn.weights[drawn.items < 300], 2)  # one over 1/2 of an even draw
    assert np.array_equal(drawn.items, MajorityVote(3, seed=1).next_to_label(votes, 40).items)


def test_effective_votes_are_those_of_analysis() -> None:
    votes, truth = _problem()
    model = MajorityVote(3)
    assert model.effective_votes(votes).number == effective_votes(votes, model.predict_proba(votes)).number
    assert model.effective_votes(votes, truth).by == "gold"


def test_sources_that_the_fit_has_not_seen() -> None:
    votes, _ = _problem()
    seen = votes.select_sources(["a", "b"])
    model = MajorityVote(3).fit(seen)
    assert np.array_equal(model.predict(votes), MajorityVote(3).predict(votes))  # all count alike
    assert np.array_equal(model.predict_proba(votes, unseen="ignore"), MajorityVote(3).predict_proba(seen))
    with pytest.raises(InvalidVotesError, match="source 'c' is not known"):
        model.predict(votes, unseen="error")
    with pytest.raises(NotFittedError):
        MajorityVote(3).predict(votes, unseen="ignore")
    with pytest.raises(InvalidArgumentError, match="unseen must be"):
        model.predict(votes, unseen="guess")  # type: ignore[arg-type]

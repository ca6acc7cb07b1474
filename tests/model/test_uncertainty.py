"""Intervals, sets, gold, explanations and diagnostics of the label model."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel import ABSTAIN, LabelModel, Votes
from weaklabel.analysis import evaluate
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.model import ConvergenceWarning


def simulate(
    n_items: int, accuracy: Any, n_classes: int, *, seed: int, coverage: float = 1.0, balance: Any = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes of independent sources, errors uniform over the wrong classes; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, n_items, p=balance)
    shape = (n_items, len(accuracy))
    wrong = (truth[:, None] + rng.integers(1, n_classes, shape)) % n_classes
    votes = np.where(rng.random(shape) < np.asarray(accuracy), truth[:, None], wrong)
    return np.where(rng.random(shape) < coverage, votes, ABSTAIN), truth


def some_gold(truth: NDArray[np.int64], per_class: int, seed: int) -> NDArray[np.int64]:
    """So many known labels of each class, -1 elsewhere."""
    gold = np.full(len(truth), -1)
    rng = np.random.default_rng(seed)
    for k in np.unique(truth):
        chosen = rng.permutation(np.flatnonzero(truth == k))[:per_class]
        gold[chosen] = k
    return gold


@pytest.mark.slow
def test_accuracy_intervals_cover_the_truth() -> None:
    families = [(5, 2, 0.7, 1000), (5, 2, 1.0, 1000), (10, 4, 0.5, 1000), (10, 4, 0.3, 1000)]
    covered = []
    for n_sources, n_classes, coverage, n_items in families:
        for seed in range(12):
            accuracy = np.random.default_rng([seed, n_sources]).uniform(0.55, 0.92, n_sources)
            votes, _ = simulate(n_items, accuracy, n_classes, seed=seed, coverage=coverage)
            model = LabelModel(n_classes).fit(votes)
            low, high = model.source_accuracy_interval.T
            inside = (model.source_accuracy >= low) & (model.source_accuracy <= high)
            assert inside.all()
            if model.diagnostics.doubt > 0.05:  # few votes in common: independence is not claimed, and it is said
                assert "doubt" in {finding.kind for finding in model.diagnostics.findings} or (
                    model.diagnostics.doubt <= 0.5
                )
                continue
            covered.append(((low <= accuracy) & (accuracy <= high)).mean())
    assert len(covered) >= 12
    assert 0.85 <= np.mean(covered) <= 0.95


def test_intervals_shrink_with_data() -> None:
    accuracy = [0.6, 0.7, 0.8, 0.75, 0.65]
    few, many = (
        np.diff(LabelModel(2).fit(simulate(n, accuracy, 2, seed=1)[0]).source_accuracy_interval).mean()
        for n in (200, 20_000)
    )
    assert many < few / 3


@pytest.mark.slow
def test_sets_cover_the_truth_whatever_the_model_is_worth() -> None:
    found = []
    for seed in range(40):
        # Sources that err together, so that the model is sure and wrong; the guarantee must hold all the same.
        votes, truth = simulate(400, [0.6, 0.62, 0.58], 3, seed=seed)
        votes = np.concatenate([votes, np.where(np.arange(400)[:, None] % 4 == 0, ABSTAIN, votes[:, :2])], axis=1)
        gold = np.where(np.arange(400) < 120, truth, -1)
        sets = LabelModel(3, seed=seed).fit(votes, gold=gold).predict_set(votes[120:], coverage=0.8)
        found.append(sets[np.arange(280), truth[120:]].mean())
    # 40 draws of 60 calibration items: the mean's standard error is about 0.01.
    assert 0.78 <= np.mean(found) <= 0.87


def test_sets_of_few_gold_labels_hold_every_class() -> None:
    votes, truth = simulate(100, [0.8, 0.8, 0.8], 2, seed=0)
    model = LabelModel(2).fit(votes, gold=some_gold(truth, 2, 0))
    assert model.predict_set(votes, coverage=0.9).all()


def test_sets_need_gold_and_a_coverage() -> None:
    votes, _ = simulate(50, [0.8, 0.8, 0.8], 2, seed=0)
    with pytest.raises(NotFittedError):
        LabelModel(2).predict_set(votes)
    with pytest.raises(InvalidArgumentError, match=r"call fit\(votes, gold=...\) or calibrate_sets"):
        LabelModel(2).fit(votes).predict_set(votes)
    with pytest.raises(InvalidArgumentError, match=r"coverage must be in \(0, 1\)"):
        LabelModel(2).fit(votes).predict_set(votes, coverage=90)


def test_gold_rights_what_votes_alone_get_wrong() -> None:
    # Two thirds of the sources are adversaries: votes alone cannot know, a few labels can.
    votes, truth = simulate(1500, [0.9, 0.85, 0.2, 0.25, 0.2, 0.15], 2, seed=3)
    gold = some_gold(truth, 40, 0)
    unknown = gold < 0
    alone = LabelModel(2).fit(votes).predict(votes)
    told = LabelModel(2).fit(votes, gold=gold).predict(votes)
    assert (alone[unknown] == truth[unknown]).mean() < 0.5
    assert (told[unknown] == truth[unknown]).mean() > 0.9


def test_five_gold_labels_a_class_calibrate_soft_labels() -> None:
    gains = []
    for seed in range(8):
        # Each source is asked twice, with some slips: dependence that the votes hardly show.
        votes, truth = simulate(600, [0.65, 0.7, 0.62], 2, seed=seed)
        rng = np.random.default_rng(seed)
        again = np.where(rng.random(votes.shape) < 0.9, votes, rng.integers(0, 2, votes.shape))
        votes = np.concatenate([votes, again], axis=1)
        gold = some_gold(truth, 5, seed)
        unknown = np.where(gold < 0, truth, -1)
        without = evaluate(LabelModel(2).fit(votes).predict_proba(votes), unknown).nll
        gains.append(without - evaluate(LabelModel(2).fit(votes, gold=gold).predict_proba(votes), unknown).nll)
    assert np.mean(gains) > 0


def test_gold_everywhere_gives_about_the_empirical_accuracies() -> None:
    votes, truth = simulate(250, [0.6, 0.7, 0.9, 0.65], 3, seed=1, coverage=0.8)
    model = LabelModel(3).fit(votes, gold=truth)
    empirical = [(votes[votes[:, m] >= 0, m] == truth[votes[:, m] >= 0]).mean() for m in range(4)]
    np.testing.assert_allclose(model.source_accuracy, empirical, atol=0.02)


def test_no_gold_is_the_same_as_none() -> None:
    votes, _ = simulate(300, [0.6, 0.7, 0.8], 2, seed=1)
    plain = LabelModel(2).fit(votes).predict_proba(votes)
    assert np.array_equal(LabelModel(2).fit(votes, gold=np.full(300, -1)).predict_proba(votes), plain)


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (np.zeros(3, int), "got shape"),
        (np.full(50, 2), "gold of item 0 is 2, outside 0..1"),
        (np.full(50, -2), "gold of item 0 is -2"),
        (np.full(50, 0.5), "class indices"),
    ],
)
def test_bad_gold_is_refused(gold: NDArray[Any], message: str) -> None:
    votes, _ = simulate(50, [0.8, 0.8, 0.8], 2, seed=0)
    with pytest.raises(InvalidArgumentError, match=message):
        LabelModel(2).fit(votes, gold=gold)


@pytest.mark.parametrize(("copied", "told"), [(False, False), (True, False), (False, True)])
def test_explanations_sum_to_the_soft_label(copied: bool, told: bool) -> None:
    votes, truth = simulate(400, [0.6, 0.7, 0.8, 0.65], 3, seed=2, coverage=0.7)
    if copied:
        votes = np.concatenate([votes, votes[:, :1]], axis=1)
    votes[5] = ABSTAIN
    gold = some_gold(truth, 10, 0) if told else None
    model = LabelModel(classes=["a", "b", "c"]).fit(votes, gold=gold)
    p = model.predict_proba(votes)
    for row in (0, 1, 5, -1):
        why = model.explain(votes, row)
        np.testing.assert_allclose(
            softmax(why.prior + why.sources.sum(0) + why.vote_shares + why.gold), p[row], atol=1e-5
        )
        np.testing.assert_allclose(why.probabilities, p[row], atol=1e-6)
        assert bool(why.gold.any()) == told
        assert why.votes.tolist() == [vote for vote in votes[row] if vote >= 0]
        np.testing.assert_allclose(why.sources.sum(1), 0, atol=1e-6)
    if copied:
        why = model.explain(votes, 0)
        if why.source_names[0] == "source_0":
            np.testing.assert_allclose(why.sources[0], why.sources[-1], rtol=1e-5)
    assert "soft label" in str(model.explain(votes, 0))
    with pytest.raises(InvalidArgumentError, match="row 400"):
        model.explain(votes, 400)


def kinds(model: LabelModel) -> set[str]:
    return {finding.kind for finding in model.diagnostics.findings}


def test_a_good_fit_has_no_findings() -> None:
    votes, _ = simulate(3000, [0.7, 0.75, 0.8, 0.72, 0.78, 0.7], 2, seed=0)
    model = LabelModel(2).fit(votes)
    assert kinds(model) == set()
    assert model.warnings == ()
    assert "nothing doubtful" in str(model.diagnostics)


def test_doubts_are_found_and_named() -> None:
    votes, _ = simulate(2000, [0.8, 0.75, 0.8, 0.7, 0.8, 0.2], 2, seed=1)
    matrix = np.concatenate([votes, votes[:, :1], np.zeros((2000, 1), int), np.full((2000, 1), -1)], axis=1)
    names = ["a", "b", "c", "d", "e", "liar", "echo of a", "always 0", "mute"]
    found = LabelModel(2).fit(Votes.from_dense(matrix, 2, sources=names)).diagnostics
    assert found.worse_than_chance == ("liar",)
    assert found.constant == ("always 0",)
    assert found.silent == ("mute",)
    assert found.copies == (("a", "echo of a"),)
    assert found.views == pytest.approx(6, abs=0.01)  # neither the echo, nor the one that says nothing
    assert {finding.kind for finding in found.findings} >= {"worse_than_chance", "constant", "silent", "copies"}


def test_gold_tells_an_adversary_that_votes_alone_cannot_be_sure_of() -> None:
    codes, truth = simulate(1000, [0.75, 0.2], 2, seed=1)
    votes = Votes.from_dense(codes, 2, sources=["fair", "liar"])
    assert LabelModel(2).fit(votes).diagnostics.worse_than_chance == ()
    found = LabelModel(2).fit(votes, gold=np.where(np.arange(1000) < 100, truth, -1)).diagnostics
    assert found.worse_than_chance == ("liar",)
    assert [one.kind for one in found.findings].count("worse_than_chance") == 1
    assert "Worse than chance: 'liar'" in str(found)


def test_too_few_views_are_named() -> None:
    votes, _ = simulate(500, [0.8, 0.7], 2, seed=1)
    assert "views" in kinds(LabelModel(2).fit(votes))
    apart = np.full((600, 3), -1)
    for m in range(3):
        apart[m * 200 : (m + 1) * 200, m] = np.arange(200) % 2
    model = LabelModel(2).fit(apart)
    assert model.diagnostics.joint_items == 0
    assert "views" in kinds(model)


def test_doubt_is_whether_independence_is_refuted() -> None:
    votes, _ = simulate(3000, [0.7, 0.75, 0.8, 0.72, 0.78, 0.7], 2, seed=0)
    assert LabelModel(2).fit(votes).diagnostics.doubt < 0.1
    hard, easy = simulate(3000, [0.55] * 6, 2, seed=1)[0], simulate(3000, [0.55] * 6, 2, seed=1)[1]
    together = np.where(np.random.default_rng(2).random((3000, 6)) < 0.5, hard[:, :1], hard)
    mixed = np.where(np.arange(3000)[:, None] % 2 == 0, together, easy[:, None])
    assert LabelModel(2).fit(mixed).diagnostics.doubt == 1


def test_silence_everywhere_and_hasty_fits_are_named() -> None:
    assert "coverage" in kinds(LabelModel(2).fit(np.full((5, 3), -1)))
    votes, _ = simulate(500, [0.6, 0.55, 0.6, 0.65], 3, seed=1, coverage=0.6)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        hasty = LabelModel(3, max_iter=2).fit(votes)
    assert not hasty.converged
    assert "converged" in kinds(hasty)


def test_contradicted_unanimous_votes_are_counted() -> None:
    # Two liars agree where all others are silent.
    votes, truth = simulate(1500, [0.9, 0.9, 0.9, 0.9, 0.08, 0.08], 2, seed=2)
    votes[:200, :4] = ABSTAIN
    model = LabelModel(2).fit(votes)
    likeliest = model.predict_proba(votes).argmax(1)
    against = 0
    for row, label in zip(votes, likeliest, strict=True):
        seen = row[row >= 0]
        against += len(seen) >= 2 and len(set(seen)) == 1 and label != seen[0]
    assert against > 50
    assert model.diagnostics.unanimous_items == against
    assert "unanimous_share" in kinds(model)
    assert (likeliest[:200] == truth[:200]).mean() > 0.8


def test_diagnostics_survive_saving() -> None:
    votes, _ = simulate(300, [0.8, 0.7], 2, seed=1)
    model = LabelModel(2).fit(votes)
    again = LabelModel.from_bytes(model.to_bytes())
    assert again.diagnostics == model.diagnostics
    assert np.array_equal(again.source_accuracy_interval, model.source_accuracy_interval)

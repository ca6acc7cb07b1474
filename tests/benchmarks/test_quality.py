"""The quality benchmark: what it draws, what it is compared with, and a run from end to end."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import quality
from label_quality.baselines import smoothed_shares
from label_quality.gold_curves import best_source, stacker
from label_quality.leave_one_out import choose, family_means, parse
from label_quality.problems import cut, family_of, read_groups
from label_quality.simulated import FAMILIES, Answer, draw_panel, problem
from sklearn.linear_model import LogisticRegression

from weaklabel import Votes


@pytest.mark.parametrize(
    ("name", "family"),
    [("css_ibc", "css"), ("ds_sms_gpt4", "ds"), ("mvh_edge", "mvh"), ("medrel_cause", "medrel"), ("sms", "sms")],
)
def test_families_go_by_the_beginning_of_the_name(name: str, family: str) -> None:
    assert family_of(name) == family


def test_archives_of_all_forms_are_read(tmp_path: Path) -> None:
    for group in ("weak", "crowd", "partial"):
        (tmp_path / group).mkdir()
    gold = np.array([0, 1, -1])
    np.savez(tmp_path / "weak/sms.npz", votes=[[0, -1], [1, 1], [0, 1]], gold=gold, split=[2, 0, 2], n_classes=2)
    np.savez(
        tmp_path / "crowd/x.npz", item=[0, 0, 2], worker=[0, 0, 1], label=[1, 0, 1], n_workers=2, gold=gold, n_classes=2
    )
    np.savez(
        tmp_path / "partial/y.npz", candidates=[[1, 1, 0], [0, 1, 1], [1, 0, 0]], features=np.ones((3, 4)), gold=gold
    )
    weak, crowd, partial = read_groups(tmp_path, ["weak", "crowd", "partial"])
    assert weak.rare
    assert weak.test.tolist() == [True, False, False]
    assert crowd.votes.to_dense().tolist() == [[0, -1], [-1, -1], [-1, 1]]
    assert crowd.test.tolist() == [True, True, False]
    assert not partial.votes.is_plain
    assert partial.features is not None
    assert smoothed_shares(partial.votes)[0].tolist() == pytest.approx([(1 / 2 + 1 / 3) / 2] * 2 + [1 / 6])
    assert cut(crowd, 2).test.all()  # items that are scored come first


def test_bayes_of_a_panel_is_that_of_enumeration() -> None:
    confusion = np.array([[0.7, 0.3], [0.2, 0.8]])
    functions = np.array([[0.5, 0.0, 0.5], [0.1, 0.0, 0.9]])  # the last symbol is silence
    answers = [Answer(confusion, n_sources=2, noise=0.2), Answer(functions)]
    balance = np.array([0.4, 0.6])
    drawn = draw_panel(np.random.default_rng(0), 200, balance, answers, np.array([0.8, 0.8, 1.0]))
    for votes, p in zip(drawn.votes, drawn.bayes, strict=True):
        joint = balance * functions[:, votes[2]]  # -1 is the last symbol
        for k in range(2):
            of_hidden = confusion[k].copy()
            for vote in votes[:2][votes[:2] >= 0]:
                of_hidden *= [0.9 if vote == hidden else 0.1 for hidden in range(2)]  # a fifth is said at random
            joint[k] *= of_hidden.sum()
        np.testing.assert_allclose(p, joint / joint.sum(), atol=1e-12)


@pytest.mark.parametrize("kind", FAMILIES)
def test_bayes_beats_vote_shares_and_is_calibrated(kind: str) -> None:
    n_items = 10_000
    drawn = problem(kind, 0, n_items)
    p = drawn.bayes
    assert p is not None
    items = np.arange(n_items)
    assert np.log(p[items, drawn.gold]).mean() > np.log(smoothed_shares(drawn.votes)[items, drawn.gold]).mean()
    # Under the true posterior, right labels are as many as their probabilities say, however sure they are.
    confidence, right = p.max(1), p.argmax(1) == drawn.gold
    level = np.minimum((confidence * 20).astype(int), 19)
    gap = np.bincount(level, confidence - right)
    spread = np.sqrt(np.bincount(level, confidence * (1 - confidence)))
    assert (abs(gap) < 4 * spread + 1).all()


def test_best_source_by_gold() -> None:
    votes = Votes.from_dense(np.array([[0, 1, -1], [1, 1, 2], [2, 0, 2], [0, -1, -1]]), 3)
    p = best_source(votes, np.array([0, 1, 2, -1]))
    # Right of votes: 3 of 3, 1 of 3, 1 of 2. The first has (3 + 1)/(3 + 2) = .8.
    np.testing.assert_allclose(p, np.where(np.eye(3)[[0, 1, 2, 0]] == 1, 0.8, 0.1))


def test_a_silent_best_source_leaves_items_uniform() -> None:
    votes = Votes.from_dense(np.array([[0, 1], [-1, 1]]), 2)
    np.testing.assert_allclose(best_source(votes, np.array([0, -1])), [[2 / 3, 1 / 3], [0.5, 0.5]])


def test_the_stacker_is_the_logistic_regression_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    dense = rng.integers(-1, 3, (80, 4))
    truth = np.where(rng.random(80) < 0.6, np.maximum(dense[:, 0], 0), rng.integers(0, 3, 80))
    gold = np.where(np.arange(80) < 40, truth, -1)
    votes = Votes.from_dense(dense, 3)
    one_hot = np.concatenate([np.eye(4)[column][:, :3] for column in dense.T], axis=1)
    inputs = np.c_[one_hot, 3 * np.log(smoothed_shares(votes))]
    model = LogisticRegression(C=0.03, tol=1e-8, max_iter=5000).fit(inputs[:40], gold[:40])
    np.testing.assert_allclose(stacker(votes, gold), model.predict_proba(inputs), atol=2e-3)


def test_classes_without_gold_have_no_probability_in_the_stacker() -> None:
    votes = Votes.from_dense(np.array([[0], [1], [2]]), 3)
    p = stacker(votes, np.array([0, 1, -1]))
    assert (p[:, 2] == 0).all()
    np.testing.assert_allclose(p.sum(1), 1)


def test_constants_are_chosen_without_the_family_that_they_are_scored_on() -> None:
    means = family_means(np.array([[1.0, 3.0], [3.0, 5.0], [5.0, 1.0], [2.0, 3.0]]), ["a", "a", "b", "c"])
    np.testing.assert_allclose(means, [[2, 4], [5, 1], [2, 3]])
    without, held_out, best, in_sample = choose(means)
    # Without a: 7 against 4; without b: 4 against 7; without c: 7 against 5.
    assert without.tolist() == [1, 0, 1]
    assert held_out == pytest.approx((4 + 5 + 3) / 3)
    assert best == 1
    assert in_sample == pytest.approx(8 / 3)


def test_constants_that_the_model_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="no constant 'nonsense'"):
        parse("nonsense=1,2")


def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["simulated/near copies *", "simulated/three annotators *"]
    files = ["--json", str(tmp_path / "q.json"), "--csv", str(tmp_path / "q.csv")]
    quality.main(["--quick", "--markdown", "--sets", *sets, "--gold", "10", "--draws", "1", *files])
    printed = capsys.readouterr().out
    assert "| Bayes (true parameters) |" in printed
    assert "weaklabel - smoothed vote shares" in printed
    figures = json.loads((tmp_path / "q.json").read_text())
    scores = {(row["model"], row["name"]): row["scores"] for row in figures["sets"]}
    assert {name for _, name in scores} == {"near copies 0", "three annotators 0"}
    for model in ("weaklabel", "smoothed vote shares", "majority vote", "Dawid-Skene"):
        assert scores[model, "near copies 0"]["nll"] > scores["Bayes (true parameters)", "near copies 0"]["nll"] - 0.05
    with (tmp_path / "q.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["n_gold"] for line in lines} == {"0", "10"}
    assert {line["model"] for line in lines if line["n_gold"] == "10"} >= {"weaklabel", "stacker", "best source"}

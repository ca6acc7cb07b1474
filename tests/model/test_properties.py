"""What must hold of the label model whatever its constants are."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import ABSTAIN, LabelModel, Votes, not_, one_of, soft
from weaklabel.analysis import evaluate
from weaklabel.model.calibration.decision import TIE
from weaklabel.votes.symbols import ImpreciseVote


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


def soft_labels(votes: Any, n_classes: int) -> NDArray[np.float32]:
    return LabelModel(n_classes).fit(votes).predict_proba(votes)


def likeliest(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """The class of the highest probability, -1 where another is as high."""
    ordered = np.sort(probabilities, axis=1)
    return np.where(ordered[:, -1] - ordered[:, -2] <= TIE, ABSTAIN, probabilities.argmax(1))


@pytest.mark.filterwarnings("ignore::weaklabel.model.ConvergenceWarning")
@pytest.mark.parametrize("given", ["votes", "sets and soft votes", "prior", "features", "gold"])
def test_predictions_are_the_likeliest_classes(given: str) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(-1, 3, (120, 5))
    cells: list[list[object]] = [list(row) for row in matrix.tolist()]
    if given == "sets and soft votes":
        for row in cells[::3]:
            row[0], row[1] = one_of(*rng.permutation(3)[:2].tolist()), soft(rng.dirichlet(np.ones(3)).tolist())
    votes = Votes.from_dense(cells, 3)
    side: dict[str, Any] = {}
    if given == "prior":
        side = {"prior": rng.dirichlet(np.ones(3), 120)}
    elif given == "features":
        side = {"features": rng.normal(size=(120, 4))}
    gold = np.where(np.arange(120) < 12, rng.integers(0, 3, 120), -1) if given == "gold" else None
    model = LabelModel(3).fit(votes, gold=gold, **side)
    p = model.predict_proba(votes, **side)
    np.testing.assert_array_equal(model.predict(votes, **side), likeliest(p))
    np.testing.assert_array_equal(model.decision_function(votes, **side), p)
    policed = model.predict(votes, "random", **side)
    assert (p[np.arange(120), policed] >= p.max(1) - TIE).all()


def test_sources_that_say_nothing_change_nothing() -> None:
    votes, _ = simulate(600, [0.8, 0.7, 0.75, 0.65], 3, seed=3, coverage=0.7)
    covered = (votes >= 0).any(1)
    before = soft_labels(votes, 3)
    constant = np.concatenate([votes, np.ones((600, 1), int)], axis=1)
    silent = np.concatenate([votes, np.full((600, 1), ABSTAIN)], axis=1)
    for more in (constant, silent):
        after = soft_labels(more, 3)
        np.testing.assert_allclose(after[covered], before[covered], atol=1e-5)
        np.testing.assert_array_equal(likeliest(after)[covered], likeliest(before)[covered])


def test_every_row_twice_moves_no_soft_label() -> None:
    """Where there are rows enough to test independence; fewer say less of it, and twice as many say more."""
    n_items = 5000
    votes, _ = simulate(n_items, [0.8, 0.7, 0.75, 0.65, 0.7], 3, seed=4, coverage=0.8)
    twice = np.concatenate([votes, votes])
    np.testing.assert_allclose(soft_labels(twice, 3)[:n_items], soft_labels(votes, 3), atol=0.01)


def test_nearly_certain_soft_votes_are_votes() -> None:
    votes, _ = simulate(600, [0.8, 0.7, 0.75, 0.65], 3, seed=3, coverage=0.7)
    for certain in (0.9995, 0.9999):
        of_class = [soft([certain if k == label else (1 - certain) / 2 for k in range(3)]) for label in range(3)]
        cells = [[of_class[vote] if vote >= 0 else ABSTAIN for vote in row] for row in votes.tolist()]
        np.testing.assert_array_equal(soft_labels(Votes.from_dense(cells, 3), 3), soft_labels(votes, 3))


@pytest.mark.parametrize("kind", ["probabilities", "sets"])
def test_functions_that_say_less_are_functions(kind: str) -> None:
    """Each says one class or is silent: read as annotators, they would make one class of all items."""
    rng = np.random.default_rng(5)
    truth = rng.choice(3, 3000, p=[0.5, 0.3, 0.2])
    says = np.array([0, 1, 2, 1, 0, 2, 1, 2])
    rate = np.where(truth[:, None] == says, 0.4, 0.06)
    votes = np.where(rng.random(rate.shape) < rate, says, ABSTAIN)

    def less(vote: int) -> ImpreciseVote | int:
        if kind == "probabilities":
            return soft([0.96 if k == vote else 0.02 for k in range(3)])
        return one_of(vote, (vote + rng.integers(1, 3)) % 3) if rng.random() < 0.3 else vote

    cells = [[less(vote) if vote >= 0 else ABSTAIN for vote in row] for row in votes.tolist()]
    voted = (votes >= 0).any(1)
    plain, found = (soft_labels(one, 3)[voted] for one in (votes, Votes.from_dense(cells, 3)))
    assert (plain.argmax(1) == truth[voted]).mean() > 0.75
    assert (found.argmax(1) == truth[voted]).mean() > (plain.argmax(1) == truth[voted]).mean() - 0.06
    balance = np.bincount(found.argmax(1), minlength=3) / voted.sum()
    np.testing.assert_allclose(balance, np.bincount(plain.argmax(1), minlength=3) / voted.sum(), atol=0.08)


def test_votes_that_only_exclude_are_not_left() -> None:
    """Many annotators of few votes, each of one class of four that it is not: EM must not drift from what they say."""
    rng = np.random.default_rng(0)
    n_items, n_sources = 600, 400
    truth = rng.choice(4, n_items, p=[0.55, 0.2, 0.1, 0.15])
    skill = rng.beta(5, 3, n_sources)
    voting = rng.random((n_items, n_sources)) < 10 / n_sources
    meant = np.where(rng.random(voting.shape) < skill, truth[:, None], rng.integers(0, 4, voting.shape))
    excluded = np.where(voting, (meant + rng.integers(1, 4, voting.shape)) % 4, ABSTAIN)
    votes = Votes.from_dense(np.where(voting, 4 + excluded, ABSTAIN), 4, symbols=[not_(k) for k in range(4)])
    # the class that is excluded least is right; chance where several are
    times = np.stack([(excluded == k).sum(1) for k in range(4)], axis=1)
    least = times == times.min(1, keepdims=True)
    by_count = (least[np.arange(n_items), truth] / least.sum(1)).mean()
    assert (soft_labels(votes, 4).argmax(1) == truth).mean() >= by_count


def test_unsure_votes_of_judges_who_err_together_are_as_unsure() -> None:
    """Forty judges who mostly err on three items of ten: probabilities of .65 say no more than the votes."""
    rng = np.random.default_rng(0)
    truth, is_trap = rng.integers(0, 2, 800), rng.random(800) < 0.3
    wrong = rng.random((800, 40)) < np.where(is_trap, 0.7, 0.12)[:, None]
    votes = np.where(wrong, 1 - truth[:, None], truth[:, None])
    unsure = np.stack([np.where(votes == k, 0.65, 0.35) for k in range(2)], axis=2)
    plain, found = soft_labels(votes, 2), soft_labels(Votes.from_soft(unsure), 2)
    assert abs(found.max(1).mean() - plain.max(1).mean()) < 0.05
    assert evaluate(found, truth).nll < evaluate(plain, truth).nll + 0.1


def test_three_independent_annotators_are_believed() -> None:
    votes, truth = simulate(5000, [0.8] * 3, 2, seed=0)
    scores = evaluate(soft_labels(votes, 2), truth)
    assert scores.nll <= 0.29
    assert scores.ece <= 0.03


def test_rare_classes_that_sources_see_are_found() -> None:
    votes, truth = simulate(20_000, [0.97, 0.96, 0.98, 0.97, 0.95], 2, seed=0, balance=[0.997, 0.003])
    predicted = LabelModel(2).fit(votes).predict(votes)
    found = ((predicted == 1) & (truth == 1)).sum()
    assert 2 * found / ((predicted == 1).sum() + (truth == 1).sum()) >= 0.95


def test_near_copies_are_found_and_reported() -> None:
    votes, _ = simulate(2000, [0.7, 0.72, 0.75, 0.8, 0.7], 3, seed=1)
    rng = np.random.default_rng(0)
    near = np.where(rng.random(2000) < 0.05, rng.integers(0, 3, 2000), votes[:, 0])
    found = LabelModel(3).fit(np.concatenate([votes, near[:, None]], axis=1)).diagnostics
    assert found.copies == (("source_0", "source_5"),)
    assert found.views == pytest.approx(5, abs=0.01)
    assert "copies" in {finding.kind for finding in found.findings}

"""What sources would vote: an enumeration, an independent optimum of what is shared, recovery, habits."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, NotFittedError
from weaklabel.model.disagreement import states
from weaklabel.model.disagreement.vote_model import fit_vote_model


def simulated(seed: int, *, items: int = 500, sources: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Votes [N, M], about 60 % given, and P(vote 1) [N, M]: items of every degree, sources of two leanings."""
    rng = np.random.default_rng(seed)
    degree = rng.normal(-1, 2.5, (items, 1))
    leaning = np.where(np.arange(sources) < sources // 2, -1.0, 1.0) + rng.normal(0, 0.3, sources)
    chance = 1 / (1 + np.exp(-(degree + leaning)))
    votes = (rng.random(chance.shape) < chance).astype(np.int64)
    votes[rng.random(votes.shape) < 0.4] = -1
    return votes, chance


def ideal(votes: NDArray[np.int64], chance: NDArray[np.float64]) -> tuple[Any, Any]:
    """P(vote 1) [N, M] and P(two sources differ) [N] for one who knows how votes were drawn, by quadrature."""
    logit = np.log(chance) - np.log1p(-chance)
    leaning = (logit - logit[:, :1]).mean(axis=0)  # against the first source
    grid = np.linspace(-13, 9, 400)
    of_grid = 1 / (1 + np.exp(-(grid[:, None] + leaning)))  # [grid, M]
    prior = np.exp(-0.5 * ((grid - logit[:, 0].mean()) / 2.5) ** 2)
    log_p = np.where(votes[:, None] == 1, np.log(of_grid), np.where(votes[:, None] == 0, np.log1p(-of_grid), 0.0))
    weight = prior * np.exp(log_p.sum(axis=2))
    weight /= weight.sum(axis=1, keepdims=True)
    n_sources = len(leaning)
    differ = np.mean(
        [
            of_grid[:, a] + of_grid[:, b] - 2 * of_grid[:, a] * of_grid[:, b]
            for a in range(n_sources)
            for b in range(n_sources)
            if a != b
        ],
        axis=0,
    )
    return weight @ of_grid, weight @ differ


def _nll(p: NDArray[np.float64], chance: NDArray[np.float64]) -> float:
    """Expected negative log likelihood of a vote that is drawn by `chance`."""
    return float(-(chance * np.log(p[..., 1]) + (1 - chance) * np.log(p[..., 0])).mean())


def test_predictions_are_bayes_rule_over_states() -> None:
    votes, _ = simulated(0)
    read = Votes.from_dense(votes, n_classes=2)
    model = fit_vote_model(read)
    found = model.state_proba(read)
    for row in range(20):
        joint = np.asarray(model.states.share, np.float64).copy()
        for source, vote in enumerate(votes[row]):
            if vote >= 0:
                joint *= model.tables[source, :, vote]
        np.testing.assert_allclose(found[row], joint / joint.sum(), atol=1e-4)
    np.testing.assert_allclose(model.tables.sum(axis=2), 1, atol=1e-6)


def test_levels_and_leanings_rest_where_their_gradient_is_none() -> None:
    votes, _ = simulated(1)
    found = fit_vote_model(Votes.from_dense(votes, n_classes=2)).states
    counts, level, leaning = (np.asarray(one, np.float64) for one in (found.counts, found.level, found.leaning))

    def objective(level: NDArray[np.float64], leaning: NDArray[np.float64]) -> float:
        logits = level[None] + leaning[:, None]
        log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        prior = states.LEVEL_PRIOR * (level**2).sum() + states.LEANING_PRIOR * (leaning**2).sum()
        return float((counts * log_p).sum() - 0.5 * prior)

    def slope(values: NDArray[np.float64], place: tuple[int, ...], *, of_level: bool) -> float:
        ends = []
        for step in (1e-3, -1e-3):
            moved = values.copy()
            moved[place] += step
            ends.append(objective(moved, leaning) if of_level else objective(level, moved))
        return abs(ends[0] - ends[1]) / 2e-3

    # of 3,000 votes, whose priors pull by up to 2
    assert max(slope(level, place, of_level=True) for place in np.ndindex(*level.shape)) < 0.5
    assert max(slope(leaning, place, of_level=False) for place in np.ndindex(*leaning.shape)) < 0.5


def test_held_out_votes_are_predicted_better_than_by_shares_and_by_confusions() -> None:
    votes, chance = simulated(2)
    model = LabelModel(n_classes=2).fit(votes)
    ours = model.predict_vote_proba(votes)
    assert ours.shape == (500, 10, 2)
    counts = np.stack([(votes == k).sum(axis=1) for k in (0, 1)], axis=1) + 0.5
    shares = np.repeat((counts / counts.sum(axis=1, keepdims=True))[:, None], 10, axis=1)
    confusion = model.confusion_matrices
    assert confusion is not None
    confusions = np.einsum("nc,mkc->nmk", model.predict_proba(votes).astype(np.float64), confusion)
    held = votes < 0
    best, _ = ideal(votes, chance)
    losses = [_nll(p[held], chance[held]) for p in (ours, shares, confusions)]
    assert losses[0] < losses[1] - 0.03
    assert losses[0] < losses[2] - 0.01
    assert losses[0] < _nll(np.stack([1 - best, best], axis=2)[held], chance[held]) + 0.02


def test_soft_labels_of_the_population_are_the_mean_of_its_sources() -> None:
    votes, chance = simulated(3)
    model = LabelModel(n_classes=2).fit(votes)
    every = model.predict_vote_proba(votes)
    equal = model.soft_labels(votes, population="sources", weights="equal")
    np.testing.assert_allclose(equal, every.mean(axis=1), atol=1e-6)
    given = (votes >= 0).sum(axis=0)
    by_votes = model.soft_labels(votes, population="sources")
    np.testing.assert_allclose(by_votes, np.average(every, axis=1, weights=given), atol=1e-6)
    assert np.abs(equal[:, 1] - ideal(votes, chance)[0].mean(axis=1)).mean() < 0.05
    truth = model.soft_labels(votes)
    np.testing.assert_array_equal(truth.astype(np.float32), model.predict_proba(votes))
    one = model.soft_labels(votes, population="sources", weights={"source_3": 2.0})
    np.testing.assert_allclose(one, model.predict_vote_proba(votes, "source_3"), atol=1e-6)
    np.testing.assert_allclose(model.predict_vote_proba(votes, [3, "source_1"])[:, 1], every[:, 1], atol=1e-12)


def test_disagreement_is_the_chance_that_two_sources_differ() -> None:
    votes, chance = simulated(4, sources=6)
    model = LabelModel(n_classes=2).fit(votes)
    states_of = model._vote_model or model.learn_votes(votes)._vote_model
    assert states_of is not None
    read = Votes.from_dense(votes, n_classes=2)
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    differ = np.mean([1 - (states_of.tables[a] * states_of.tables[b]).sum(axis=1) for a, b in pairs], axis=0)
    expected = states_of.state_proba(read) @ differ
    found = model.item_disagreement(votes, weights="equal")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.corrcoef(found, ideal(votes, chance)[1])[0, 1] > 0.9


def test_groups_of_sources_are_found() -> None:
    votes, _ = simulated(5)
    belongs = LabelModel(n_classes=2).fit(votes).source_groups(2)
    assert belongs.shape == (10, 2)
    np.testing.assert_allclose(belongs.sum(axis=1), 1)
    hard = belongs.argmax(axis=1)
    assert len(set(hard[:5])) == len(set(hard[5:])) == 1
    assert hard[0] != hard[9]


def test_order_of_items_and_sources_does_not_matter() -> None:
    votes, _ = simulated(6)
    every = LabelModel(n_classes=2).fit(votes).predict_vote_proba(votes)
    rows, columns = np.random.default_rng(0).permutation(500), np.random.default_rng(1).permutation(10)
    mixed = votes[rows][:, columns]
    found = LabelModel(n_classes=2).fit(mixed).predict_vote_proba(mixed)
    np.testing.assert_allclose(found, every[rows][:, columns], atol=5e-3)


def test_a_loaded_model_learns_votes_first(tmp_path: Any) -> None:
    votes, _ = simulated(7)
    model = LabelModel(n_classes=2).fit(votes)
    expected = model.predict_vote_proba(votes, 0)
    model.save(tmp_path / "model.npz")
    loaded = LabelModel.load(tmp_path / "model.npz")
    with pytest.raises(InvalidArgumentError, match=r"call learn_votes\(votes\)"):
        loaded.predict_vote_proba(votes, 0)
    np.testing.assert_allclose(loaded.learn_votes(votes).predict_vote_proba(votes, 0), expected)
    again = pickle.loads(pickle.dumps(model))  # our own bytes
    np.testing.assert_allclose(again.predict_vote_proba(votes, 0), expected)


def test_misuse_is_refused() -> None:
    votes, _ = simulated(8)
    with pytest.raises(NotFittedError):
        LabelModel(n_classes=2).predict_vote_proba(votes)
    model = LabelModel(n_classes=2).fit(votes)
    with pytest.raises(InvalidArgumentError, match="'nobody' is none of the 10 sources"):
        model.predict_vote_proba(votes, "nobody")
    with pytest.raises(InvalidArgumentError, match="10 is none of the 10 sources"):
        model.predict_vote_proba(votes, 10)
    with pytest.raises(InvalidArgumentError, match='population must be "truth" or "sources"'):
        model.soft_labels(votes, population="people")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidArgumentError, match="n_groups must be between 1 and 10"):
        model.source_groups(11)
    for weights, message in (({"x": 1.0}, "'x' is no source"), ({"source_0": -1.0}, "0 or more"), ("all", "must be")):
        with pytest.raises(InvalidArgumentError, match=message):
            model.soft_labels(votes, "sources", weights=weights)  # type: ignore[arg-type]  # on purpose
    sets = Votes.from_candidates(np.array([[[1, 1, 0]], [[0, 1, 0]]], np.uint8))
    with pytest.raises(InvalidVotesError, match="one class only"):
        LabelModel(n_classes=3).fit(sets).predict_vote_proba(sets)

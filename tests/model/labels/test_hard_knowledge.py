"""What is known of bags for sure: kept by soft and by hard labels, whatever else a fit is given."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from weaklabel import LabelModel, Votes
from weaklabel.model.labels.bag_decision import likeliest
from weaklabel.model.labels.hard_knowledge import kept
from weaklabel.side_information.bags import (
    Bags,
    at_least_one,
    check_bags,
    class_counts,
    different_label,
    none_of,
    proportions,
    same_label,
)

N_BAGS, SIZE = 40, 6
N_IN_BAGS, N_ITEMS = N_BAGS * SIZE, N_BAGS * SIZE + 60


def simulated(n_classes: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Votes of five sources, .7 right, of which a third are silent; items 0, 7, 14, ... have none. And the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, N_ITEMS)
    other = (truth[:, None] + rng.integers(1, n_classes, (N_ITEMS, 5))) % n_classes
    votes = np.where(rng.random((N_ITEMS, 5)) < 0.7, truth[:, None], other)
    votes[rng.random(votes.shape) < 0.3] = -1
    votes[::7] = -1
    return votes, truth


def counts_in_bags(labels: NDArray[Any], n_classes: int) -> NDArray[Any]:
    """[B, K] sums over bags of hard labels [N] or of soft labels [N, K]."""
    one_hot = labels[:, None] == np.arange(n_classes) if labels.ndim == 1 else labels.astype(np.float64)
    return np.asarray(one_hot[:N_IN_BAGS].reshape(N_BAGS, SIZE, n_classes).sum(1))


def beside(name: str, truth: NDArray[Any], n_classes: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a fit is given beside bags, and what its predictions are given again."""
    rng = np.random.default_rng(1)
    features = np.eye(n_classes)[truth] + rng.normal(0, 0.7, (N_ITEMS, n_classes))
    groups = np.arange(N_ITEMS) % 3
    prior = np.full((N_ITEMS, n_classes), np.nan)
    prior[::3] = 0.9 * np.eye(n_classes)[truth[::3]] + 0.1 / n_classes
    gold = np.where(rng.random(N_ITEMS) < 0.4, truth, -1)
    given: dict[str, Any] = {
        "nothing": {},
        "features": {"features": features},
        "groups": {"groups": groups},
        "prior": {"prior": prior},
        "gold": {"gold": gold},
        "gold and all": {"gold": gold, "features": features, "groups": groups, "prior": prior},
    }[name]
    return given, {key: value for key, value in given.items() if key != "gold"}


@pytest.mark.parametrize(
    ("n_classes", "name", "sparse"),
    [
        (3, "nothing", False),
        # Each compiles for many seconds, and is part of the last.
        pytest.param(2, "features", False, marks=pytest.mark.slow),
        pytest.param(3, "groups", False, marks=pytest.mark.slow),
        (2, "prior", True),
        (2, "gold", False),
        (3, "gold", True),
        (3, "gold and all", False),
    ],
)
def test_counts_and_absent_classes_are_kept(n_classes: int, name: str, sparse: bool) -> None:
    codes, truth = simulated(n_classes)
    votes = Votes.from_dense(codes, n_classes)
    votes = votes.to_sparse() if sparse else votes
    counts = counts_in_bags(truth, n_classes)
    counts[0] = SIZE * np.eye(n_classes, dtype=int)[0]  # of which the truth knows nothing
    bags = class_counts(counts, np.arange(N_IN_BAGS).reshape(N_BAGS, SIZE))
    given, again = beside(name, truth, n_classes)
    given |= {"gold": np.where(np.arange(N_ITEMS) < SIZE, -1, given["gold"])} if "gold" in given else {}
    if "prior" in given:
        given["prior"][:SIZE] = np.nan
    model = LabelModel(n_classes).fit(votes, bags=bags, **given)
    soft, labels = model.label(votes, bags=bags, **again)
    np.testing.assert_allclose(counts_in_bags(soft, n_classes), counts, atol=2e-6)
    np.testing.assert_array_equal(counts_in_bags(soft, n_classes)[counts == 0], 0)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(counts_in_bags(labels, n_classes), counts)
    outside = np.arange(N_ITEMS) >= N_IN_BAGS
    decided = outside & (labels >= 0)
    np.testing.assert_array_equal(labels[decided], soft[decided].argmax(1))


@pytest.mark.parametrize(("n_classes", "name"), [(2, "nothing"), (3, "gold")])
def test_bags_of_other_kinds_are_kept(n_classes: int, name: str) -> None:
    codes, truth = simulated(n_classes)
    in_bags = truth[:N_IN_BAGS].reshape(N_BAGS, SIZE)
    place = np.arange(N_IN_BAGS).reshape(N_BAGS, SIZE)
    absent = np.flatnonzero((in_bags != 1).all(1))
    if not len(absent):
        truth[:SIZE], absent = 0, np.array([0])
    there = np.setdiff1d(np.flatnonzero((in_bags == 1).any(1)), absent)
    pairs = truth[N_IN_BAGS:].reshape(-1, 2)
    pair_items = np.arange(N_IN_BAGS, N_ITEMS).reshape(-1, 2)
    alike = pairs[:, 0] == pairs[:, 1]
    bags = [
        none_of(1, place[absent].tolist()),
        at_least_one(1, place[there].tolist()),
        same_label(pair_items[alike].tolist()),
        different_label(pair_items[~alike].tolist()),
    ]
    given, _ = beside(name, truth, n_classes)
    soft, labels = LabelModel(n_classes).fit(codes, bags=bags, **given).label(codes, "random", bags=bags)
    np.testing.assert_array_equal(soft[place[absent].ravel(), 1], 0)
    assert not (labels[place[absent]] == 1).any()
    assert (soft[place[there], 1].sum(1) >= 1 - 1e-5).all()
    assert (labels[place[there]] == 1).any(1).all()
    same, apart = pair_items[alike], pair_items[~alike]
    np.testing.assert_allclose(soft[same[:, 0]], soft[same[:, 1]], atol=1e-6)
    np.testing.assert_array_equal(labels[same[:, 0]], labels[same[:, 1]])
    assert (soft[apart].sum(1) <= 1 + 1e-5).all()
    assert (labels[apart[:, 0]] != labels[apart[:, 1]]).all()


def test_labels_that_keep_to_the_bag_are_left() -> None:
    soft = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]], np.float32)
    bags = check_bags(class_counts([1, 1, 1], range(3)), 3, 3)
    np.testing.assert_array_equal(kept(soft, bags), soft)
    assert kept(soft, None) is soft


@pytest.mark.parametrize(
    ("bags", "low", "high"),
    [
        (class_counts([2, 3, 1], range(6)), [2, 3, 1], [2, 3, 1]),
        (class_counts([None, 4, None], range(6)), [0, 4, 0], [6, 4, 6]),
        (class_counts([0, None, 2], range(6)), [0, 4, 2], [0, 4, 2]),
        (at_least_one(2, range(6)), [0, 0, 1], [6, 6, 6]),
    ],
)
def test_the_nearest_labels(bags: Bags, low: list[int], high: list[int]) -> None:
    """The conditions of Karush, Kuhn and Tucker, which are enough for the optimum of a convex problem: log-odds gain
    alike in all items, those of a class within its bounds nothing, beyond what is pushed up or down.
    """
    soft = np.random.default_rng(3).dirichlet([1, 1, 0.3], 6).astype(np.float32)
    found = kept(soft, check_bags(bags, 6, 3)).astype(np.float64)
    sums, some = found.sum(0), np.array(high) > 0
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert (sums >= np.array(low) - 1e-5).all()
    assert (sums <= np.array(high) + 1e-5).all()
    ratio = np.log(found[:, some] / soft[:, some])
    gain = ratio - ratio[:, :1]
    np.testing.assert_allclose(gain, np.tile(gain[0], (6, 1)), atol=1e-4)
    at_low, at_high = sums < np.array(low) + 1e-5, sums > np.array(high) - 1e-5
    free = (~at_low & ~at_high)[some]
    if free.any():
        beyond = gain[0] - gain[0, free].mean()
        np.testing.assert_allclose(beyond[free], 0, atol=1e-4)
        assert (beyond[(at_low & ~at_high)[some]] >= -1e-4).all()
        assert (beyond[(at_high & ~at_low)[some]] <= 1e-4).all()


def test_exact_counts_however_sure_the_labels_are() -> None:
    """Bags of 2 to 400 items, whose soft labels are quite unlike their counts."""
    rng = np.random.default_rng(4)
    size = np.array([2, 3, 7, 50, 400])
    bag_of = np.repeat(np.arange(5), size)
    soft = np.exp(rng.normal(0, 12, (len(bag_of), 4)).clip(-40))
    soft = (soft / soft.sum(1, keepdims=True)).astype(np.float32)
    counts = np.stack([rng.multinomial(n, [0.7, 0.2, 0.1, 0]) for n in size])
    found = kept(soft, check_bags(class_counts(counts, bag_of=bag_of), len(bag_of), 4)).astype(np.float64)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    sums = np.stack([found[bag_of == bag].sum(0) for bag in range(5)])
    np.testing.assert_allclose(sums, counts, atol=1e-5)
    np.testing.assert_array_equal(sums[counts == 0], 0)


@pytest.mark.parametrize("seed", range(20))
def test_the_likeliest_labeling_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_items, n_classes = 6, int(rng.integers(2, 4))
    scores = np.log(rng.dirichlet(np.full(n_classes, 0.4), n_items).clip(1e-30))
    counts = rng.multinomial(n_items, np.full(n_classes, 1 / n_classes))
    low = np.maximum(counts - rng.integers(0, 2, n_classes), 0)
    high = counts + rng.integers(0, 2, n_classes)
    every = np.array(list(itertools.product(range(n_classes), repeat=n_items)))
    of_every = (every[:, :, None] == np.arange(n_classes)).sum(1)
    allowed = every[((of_every >= low) & (of_every <= high)).all(1)]
    best = scores[np.arange(n_items), allowed].sum(1).max()
    labels = likeliest(scores, low, high)
    found = np.bincount(labels, minlength=n_classes)
    assert (found >= low).all()
    assert (found <= high).all()
    np.testing.assert_allclose(scores[np.arange(n_items), labels].sum(), best, rtol=1e-9)


def test_the_likeliest_labeling_of_a_large_bag_is_the_best_assignment() -> None:
    rng = np.random.default_rng(5)
    scores = np.log(rng.dirichlet(np.full(4, 0.5), 200).clip(1e-30))
    counts = np.array([100, 60, 10, 30])
    places = np.repeat(np.arange(4), counts)
    rows, columns = linear_sum_assignment(scores[:, places], maximize=True)
    labels = likeliest(scores, counts, counts)
    np.testing.assert_array_equal(np.bincount(labels, minlength=4), counts)
    np.testing.assert_allclose(scores[np.arange(200), labels].sum(), scores[rows, places[columns]].sum(), rtol=1e-9)


@pytest.mark.parametrize("policy", ["abstain", "random", "true-random"])
def test_items_that_are_alike_are_picked_so_that_the_count_is_kept(policy: Any) -> None:
    votes = Votes.from_dense(np.tile([[0, 0, 0], [-1, -1, -1]], (6, 1)), 2)
    bags = class_counts([[2, 4], [3, 3]], np.arange(12).reshape(2, 6))
    model = LabelModel(2, seed=3).fit(votes)
    labels = model.predict(votes, policy, bags=bags)
    np.testing.assert_array_equal(np.bincount(labels[:6], minlength=2), [2, 4])
    np.testing.assert_array_equal(np.bincount(labels[6:], minlength=2), [3, 3])
    if policy != "true-random":
        np.testing.assert_array_equal(labels, model.predict(votes, policy, bags=bags))


def test_shares_that_are_known_up_to_an_error_leave_likeliest_classes() -> None:
    codes, _ = simulated(2)
    bags = proportions([0.5, 0.5], range(N_IN_BAGS), tolerance=0.1)
    soft, labels = LabelModel(2).fit(codes, bags=bags).label(codes, "random", bags=bags)
    decided = np.abs(soft[:, 0] - soft[:, 1]) > 1e-5
    np.testing.assert_array_equal(labels[decided], soft[decided].argmax(1))

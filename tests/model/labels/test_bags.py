"""Posteriors of bags against enumeration of all labelings, closed forms, and symmetries."""

import itertools
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logsumexp
from scipy.stats import binom, norm

from weaklabel import LabelModel, Votes
from weaklabel.model.labels import bags as bags_module
from weaklabel.model.labels.bag_layout import BagLayout, lay_out_bags
from weaklabel.model.labels.bags import bag_posterior
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

Real = NDArray[np.float64]
compiled = jax.jit(bag_posterior)


def posterior(log_joint: Real, bags: Bags | Sequence[Bags]) -> tuple[Real, Real]:
    layout = lay_out_bags(check_bags(bags, *log_joint.shape), None, len(log_joint))
    found = compiled(jnp.asarray(log_joint, jnp.float32), layout)
    return np.asarray(found.probabilities, np.float64), np.asarray(found.log_marginal, np.float64)


def enumerated(log_joint: Real, log_factor: Callable[[NDArray[Any]], Real]) -> tuple[Real, float]:
    """Marginals and log-evidence of one bag by summing over all labelings.

    Args:
        log_joint: [L, K].
        log_factor: of labelings [A, L], to the logarithm of what is said of each.
    """
    n_items, n_classes = log_joint.shape
    labels = np.array(list(itertools.product(range(n_classes), repeat=n_items)))
    with np.errstate(divide="ignore"):
        log_weight = log_joint[np.arange(n_items), labels].sum(1) + log_factor(labels)
    total = logsumexp(log_weight)
    weight = np.exp(log_weight - total) if np.isfinite(total) else np.full(len(labels), np.nan)
    return np.stack([(weight[:, None] * (labels == k)).sum(0) for k in range(n_classes)], axis=1), float(total)


def counts_of(labels: NDArray[Any], n_classes: int) -> NDArray[Any]:
    return np.asarray((labels[:, :, None] == np.arange(n_classes)).sum(1))


def where(true: NDArray[np.bool_]) -> Real:
    return np.where(true, 0.0, -np.inf)


def has_counts(counts: NDArray[Any], labels: NDArray[Any]) -> Real:
    return where((counts_of(labels, len(counts)) == counts).all(1))


def shares_factor(labels: NDArray[Any], shares: Sequence[float], tolerance: float) -> Real:
    """All shares known: the normal factors of the docstring, whose deviations sum to zero."""
    n_items, n_classes = labels.shape[1], len(shares)
    variance = ((tolerance * n_items) ** 2 + 1 / 12) * n_classes / (n_classes - 1)
    misses = counts_of(labels, n_classes) - np.multiply(shares, n_items)
    return np.asarray(-(misses**2).sum(1) / (2 * variance))


KINDS: list[tuple[str, int, Callable[[Any], Bags], Callable[[NDArray[Any]], Real]]] = [
    ("both counts", 2, partial(class_counts, [5, 1]), lambda y: where((y == 1).sum(1) == 1)),
    ("all of one class", 2, partial(class_counts, [0, 6]), lambda y: where((y == 1).all(1))),
    ("three counts", 3, partial(class_counts, [1, 3, 2]), lambda y: where((counts_of(y, 3) == [1, 3, 2]).all(1))),
    ("an absent class", 3, partial(class_counts, [3, 0, 3]), lambda y: where((counts_of(y, 3) == [3, 0, 3]).all(1))),
    ("four counts", 4, partial(class_counts, [2, 1, 2, 1]), lambda y: where((counts_of(y, 4) == [2, 1, 2, 1]).all(1))),
    ("one count of three", 3, partial(class_counts, [None, 3, None]), lambda y: where((y == 1).sum(1) == 3)),
    ("one count, zero", 4, partial(class_counts, [None, None, 0, None]), lambda y: where((y != 2).all(1))),
    (
        "two counts of four",
        4,
        partial(class_counts, [None, 3, None, 1]),
        lambda y: where(((y == 1).sum(1) == 3) & ((y == 3).sum(1) == 1)),
    ),
    ("no count", 3, partial(class_counts, [None] * 3), lambda y: np.zeros(len(y))),
    ("shares", 2, partial(proportions, [0.3, 0.7]), lambda y: shares_factor(y, [0.3, 0.7], 0.0)),
    (
        "rough shares of three",
        3,
        partial(proportions, [0.3, 0.25, 0.45], tolerance=0.2),
        lambda y: shares_factor(y, [0.3, 0.25, 0.45], 0.2),
    ),
    (
        "one share of three",
        3,
        partial(proportions, [None, 0.4, None], tolerance=0.2),
        lambda y: np.asarray(-(((y == 1).sum(1) - 2.4) ** 2) / (2 * (1.2**2 + 1 / 12))),
    ),
    ("at least one", 2, partial(at_least_one, 1), lambda y: where((y == 1).any(1))),
    ("at least one of four", 4, partial(at_least_one, 2), lambda y: where((y == 2).any(1))),
    ("none", 2, partial(none_of, 0), lambda y: where((y != 0).all(1))),
    ("none of four", 4, partial(none_of, 3), lambda y: where((y != 3).all(1))),
    ("same", 3, same_label, lambda y: where((y == y[:, :1]).all(1))),
]
"""Name, number of classes, what is known of six items, and its logarithm for each labeling of them."""


@cache
def of_kinds(n_classes: int, hard: bool) -> dict[str, tuple[Real, Real, Real]]:
    """Each kind of so many classes in a bag of its own, side by side: they are one program to compile.

    Returns:
        By name: log_joint [8, K] of six items in the bag and two in none, and what is found of them.
    """
    kinds = [(name, bags) for name, n, bags, _ in KINDS if n == n_classes]
    alone = np.random.default_rng(1).normal(0, 3, (8, n_classes))
    if hard:  # the first item is known to be of class 1, the second not to be of the last class
        alone[0, np.arange(n_classes) != 1] = -np.inf
        alone[1, -1] = -np.inf
    starts = 8 * np.arange(len(kinds))
    p, log_marginal = posterior(
        np.tile(alone, (len(kinds), 1)),
        [bags(range(start, start + 6)) for start, (_, bags) in zip(starts, kinds, strict=True)],
    )
    return {
        name: (alone, p[start : start + 8], log_marginal[start : start + 8])
        for start, (name, _) in zip(starts, kinds, strict=True)
    }


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(("name", "n_classes", "bags", "log_factor"), KINDS, ids=[kind[0] for kind in KINDS])
def test_posterior_is_that_of_all_labelings(
    name: str, n_classes: int, bags: Any, log_factor: Callable[[NDArray[Any]], Real], hard: bool
) -> None:
    log_joint, p, log_marginal = of_kinds(n_classes, hard)[name]
    expected, total = enumerated(log_joint[:6], log_factor)
    if not np.isfinite(total):
        assert (log_marginal[:6] == -np.inf).all()
    else:
        np.testing.assert_allclose(p[:6], expected, atol=2e-6)
        np.testing.assert_allclose(log_marginal[:6].sum(), total, atol=2e-5)
    # Items in no bag.
    np.testing.assert_allclose(
        p[6:], np.exp(log_joint[6:] - logsumexp(log_joint[6:], axis=1, keepdims=True)), rtol=1e-5
    )
    np.testing.assert_allclose(log_marginal[6:], logsumexp(log_joint[6:], axis=1), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_pairs_that_differ(n_classes: int) -> None:
    log_joint = np.random.default_rng(2).normal(0, 3, (7, n_classes))
    p, log_marginal = posterior(log_joint, different_label([[5, 1], [0, 3]]))
    for pair in ([5, 1], [0, 3]):
        expected, total = enumerated(log_joint[pair], lambda y: where(y[:, 0] != y[:, 1]))
        np.testing.assert_allclose(p[pair], expected, atol=2e-6)
        np.testing.assert_allclose(log_marginal[pair].sum(), total, atol=1e-5)


def test_pairs_that_differ_though_both_seem_sure_of_one_class() -> None:
    log_joint = np.zeros((7, 3))
    log_joint[:2] = [[40.0, 0.0, 1.0], [38.0, 0.0, -1.0]]
    p, _ = posterior(log_joint, different_label([0, 1]))
    expected, _ = enumerated(log_joint[:2], lambda y: where(y[:, 0] != y[:, 1]))
    np.testing.assert_allclose(p[:2], expected, rtol=1e-5)


def test_bags_of_all_kinds_and_sizes_side_by_side() -> None:
    rng = np.random.default_rng(3)
    log_joint = rng.normal(0, 2, (40, 3))
    counts = {size: rng.multinomial(size, [0.2, 0.5, 0.3]) for size in (1, 2, 3, 5, 7)}
    parts: list[tuple[int, Callable[[NDArray[Any]], Bags], Callable[[NDArray[Any]], Real]]] = [
        (4, partial(at_least_one, 0), lambda y: where((y == 0).any(1))),
        (4, partial(at_least_one, 2), lambda y: where((y == 2).any(1))),
        (3, partial(none_of, 1), lambda y: where((y != 1).all(1))),
        (3, same_label, lambda y: where((y == y[:, :1]).all(1))),
        (2, different_label, lambda y: where(y[:, 0] != y[:, 1])),
    ]
    parts += [(size, partial(class_counts, count), partial(has_counts, count)) for size, count in counts.items()]
    members = np.split(rng.permutation(40), np.cumsum([size for size, *_ in parts]))
    p, log_marginal = posterior(log_joint, [bag(items) for (_, bag, _), items in zip(parts, members, strict=False)])
    for (_, _, log_factor), items in zip(parts, members, strict=False):
        marginals, total = enumerated(log_joint[items], log_factor)
        np.testing.assert_allclose(p[items], marginals, atol=2e-6)
        np.testing.assert_allclose(log_marginal[items].sum(), total, atol=2e-5)


@pytest.mark.parametrize("count", [0, 13, 27, 40])
def test_evidence_of_two_classes_is_the_poisson_binomial(count: int) -> None:
    """Closed form by a discrete Fourier transform (Fernandez and Williams 2010, doi:10.1109/TAES.2010.5461658)."""
    log_odds = np.random.default_rng(4).normal(0, 1.5, 40)
    q = expit(log_odds)
    frequency = np.exp(2j * np.pi * np.arange(41) / 41)
    expected = np.fft.fft(np.prod(1 - q[:, None] + q[:, None] * frequency, axis=0)).real / 41
    log_joint = np.log(np.column_stack([1 - q, q]))
    _, log_marginal = posterior(log_joint, class_counts([40 - count, count], range(40)))
    np.testing.assert_allclose(np.exp(log_marginal.sum()), expected[count], rtol=1e-4, atol=1e-13)


def test_items_that_are_alike_share_the_count() -> None:
    p, _ = posterior(np.tile([0.3, -2.0, 1.0], (30, 1)), class_counts([3, 12, 15], range(30)))
    np.testing.assert_allclose(p, np.tile([0.1, 0.4, 0.5], (30, 1)), atol=1e-5)


def test_a_class_that_is_known_to_be_there_is_found() -> None:
    """Where all items are very unlike the label, the likeliest by far has it: 1 - prod(1 - p) would round to 0."""
    log_joint = np.zeros((8, 2))
    log_joint[:5, 1] = [-60.0, -90.0, -50.0, -90.0, -70.0]
    p, log_marginal = posterior(log_joint, at_least_one(1, range(5)))
    np.testing.assert_allclose(p[:5, 1], np.exp([-10.0, -40, 0, -40, -20]), rtol=1e-3)
    np.testing.assert_allclose(log_marginal[:5].sum(), -50 + np.log1p(np.exp(-10)), rtol=1e-5)


@pytest.mark.parametrize(("n_items", "n_classes", "scale"), [(100, 2, 3), (500, 2, 3), (100, 2, 30), (60, 3, 5)])
def test_large_bags_keep_their_counts(n_items: int, n_classes: int, scale: float) -> None:
    rng = np.random.default_rng(5)
    log_joint = rng.normal(0, scale, (2 * n_items, n_classes))
    # One bag as its items seem, and one quite unlike them.
    seeming = np.bincount(log_joint[:n_items].argmax(1), minlength=n_classes)
    unlike = np.append(n_items - n_classes + 1, np.ones(n_classes - 1, np.int64))
    p, log_marginal = posterior(log_joint, class_counts([seeming, unlike], np.arange(2 * n_items).reshape(2, -1)))
    assert np.isfinite(log_marginal).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(p[:n_items].sum(0), seeming, atol=2e-3)
    np.testing.assert_allclose(p[n_items:].sum(0), unlike, atol=2e-3)


def test_large_bags_in_double_precision() -> None:
    """Against the recursion in float64: leave one item out of the generating polynomial, by convolution."""
    rng = np.random.default_rng(6)
    q = expit(rng.normal(0, 3, 200))
    count = 90
    others = np.zeros(200)
    for item in range(200):
        polynomial = np.ones(1)
        for other in np.delete(q, item):
            polynomial = np.convolve(polynomial, [1 - other, other])
        others[item] = (
            q[item] * polynomial[count - 1] / (q[item] * polynomial[count - 1] + (1 - q[item]) * polynomial[count])
        )
    p, _ = posterior(np.log(np.column_stack([1 - q, q])), class_counts([110, 90], range(200)))
    np.testing.assert_allclose(p[:, 1], others, atol=1e-4)


def test_order_of_items_and_of_classes_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    log_joint = rng.normal(0, 3, (30, 3))
    counts = np.array([[4, 5, 6], [2, 2, 11]])
    bag_of = np.repeat([0, 1], 15)
    p, log_marginal = posterior(log_joint, class_counts(counts, bag_of=bag_of))
    items, classes = rng.permutation(30), np.array([2, 0, 1])
    permuted, permuted_evidence = posterior(
        log_joint[np.ix_(items, classes)], class_counts(counts[:, classes], bag_of=bag_of[items])
    )
    np.testing.assert_allclose(permuted, p[np.ix_(items, classes)], atol=1e-5)
    np.testing.assert_allclose(permuted_evidence, log_marginal[items], atol=1e-5)


def test_a_bag_that_cannot_be_is_read_without_it() -> None:
    log_joint = np.log([[1.0, 1.0], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    log_joint[0, 1] = -np.inf
    p, log_marginal = posterior(log_joint, class_counts([[0, 2], [1, 1]], [[0, 1], [2, 3]]))
    np.testing.assert_allclose(p[:2], [[1.0, 0.0], [0.4, 0.6]], atol=1e-6)
    np.testing.assert_array_equal(log_marginal[:2], -np.inf)
    np.testing.assert_allclose(p[2:], [[0.24 / 0.38, 0.14 / 0.38], [0.14 / 0.38, 0.24 / 0.38]], atol=1e-6)


def test_the_exact_shares_are_a_factor_on_the_count() -> None:
    """Many items alike: the posterior of the count is the product of a binomial and the normal factor."""
    size, q = 60, 0.4
    p, _ = posterior(np.tile(np.log([1 - q, q]), (size, 1)), proportions([0.5, 0.5], range(size), tolerance=0.1))
    count = np.arange(size + 1)
    weight = binom.pmf(count, size, q) * norm.pdf(count, 30, np.sqrt(36 + 1 / 12))
    np.testing.assert_allclose(p[:, 1], (weight * count).sum() / weight.sum() / size, atol=1e-5)


def test_blocks_of_bags_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    log_joint = rng.normal(0, 2, (160, 2))
    ones = rng.integers(0, 9, 20)
    bags = class_counts(np.column_stack([8 - ones, ones]), bag_of=np.repeat(np.arange(20), 8))
    whole = posterior(log_joint, bags)
    monkeypatch.setattr(bags_module, "BLOCK_CELLS", 128)
    layout = lay_out_bags(check_bags(bags, *log_joint.shape), None, len(log_joint))
    in_blocks = jax.jit(lambda *given: bag_posterior(*given))(jnp.asarray(log_joint, jnp.float32), layout)
    np.testing.assert_allclose(in_blocks.probabilities, whole[0], atol=1e-6)
    np.testing.assert_allclose(in_blocks.log_marginal, whole[1], atol=1e-5)


def test_rows_may_be_merged_and_padded() -> None:
    log_joint = np.random.default_rng(9).normal(0, 2, (4, 2))
    expected, _ = posterior(log_joint, class_counts([1, 2], [0, 2, 3]))
    # Items 1 and 4 share row 0; rows 4 to 7 are padding.
    row_of = np.array([1, 0, 2, 3, 0])
    rows = np.concatenate([log_joint[[1, 0, 2, 3]], np.zeros((4, 2))])
    found = compiled(
        jnp.asarray(rows, jnp.float32), lay_out_bags(check_bags(class_counts([1, 2], [0, 2, 3]), 5, 2), row_of, 8)
    )
    np.testing.assert_allclose(found.probabilities[:4], expected[[1, 0, 2, 3]], atol=1e-6)


def shapes(layout: BagLayout) -> list[tuple[int, ...]]:
    return [part.shape for part in jax.tree.leaves(layout)]


def test_bags_of_like_size_share_a_compilation() -> None:
    rng = np.random.default_rng(10)

    def lay_out(size: int, n_bags: int) -> BagLayout:
        bag_of = np.repeat(np.arange(n_bags), size)
        truth = rng.random(len(bag_of)) < 0.5
        ones = np.bincount(bag_of, truth)
        checked = check_bags(class_counts(np.column_stack([size - ones, ones]), bag_of=bag_of), len(bag_of), 2)
        return lay_out_bags(checked, None, 4096)

    first, *others = lay_out(60, 60), lay_out(60, 55), lay_out(59, 60)
    assert len(first.counts) == 1
    for other in others:
        assert shapes(other) == shapes(first)
    assert len(lay_out(20, 30).counts) == 1


def test_classes_that_are_absent_cost_nothing() -> None:
    counts = np.zeros(100, np.int64)
    counts[[7, 50]] = 5
    (group,) = lay_out_bags(check_bags(class_counts(counts, range(10)), 10, 100), None, 10).counts
    assert [factor.shape for factor in group.factors] == [(1, 6)]


def test_no_bags_are_a_plain_softmax() -> None:
    log_joint = np.random.default_rng(11).normal(0, 3, (5, 3))
    p, log_marginal = posterior(log_joint, [])
    np.testing.assert_allclose(p, np.exp(log_joint) / np.exp(log_joint).sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(log_marginal, logsumexp(log_joint, axis=1), rtol=1e-5)


def test_bags_of_sparse_votes_are_those_of_the_matrix() -> None:
    """Padding of sparse rows holds zeros, of which bags must take no logarithm."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 700)
    items = np.repeat(np.arange(700), 4)
    sources = np.concatenate([rng.choice(60, 4, replace=False) for _ in range(700)])
    labels = np.where(rng.random(2800) < 0.75, truth[items], 1 - truth[items])
    sparse = Votes.from_triples(items, sources, labels, n_classes=2, n_items=700, n_sources=60)
    dense = Votes.from_dense(sparse.to_dense(), 2)
    bags = at_least_one(1, items=[[at, at + 1, at + 2] for at in range(0, 300, 5)])
    p, of_matrix = (LabelModel(2).fit(votes, bags=bags).predict_proba(votes, bags=bags) for votes in (sparse, dense))
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p, of_matrix, atol=2e-3)

"""Declarations of bags: what is read, and what is refused."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weaklabel.errors import InvalidArgumentError
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


def test_bag_of_and_lists_of_items_say_the_same() -> None:
    bag_of = np.array([1, 0, -1, 1, 0, 1])
    counts = [[1, 1], [2, 1]]
    whole = check_bags(class_counts(counts, bag_of=bag_of), 6, 2).counts
    listed = check_bags(class_counts(counts, [[1, 4], [0, 3, 5]]), 6, 2).counts
    single = check_bags([class_counts([1, 1], [1, 4]), class_counts([2, 1], [0, 3, 5])], 6, 2).counts
    for other in (listed, single):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(whole.size, [2, 3])


def test_items_are_named_by_id() -> None:
    ids = np.array(["d", "a", "c", "b"])
    checked = check_bags(class_counts([1, 1, 0], ["b", "a"]), 4, 3, item_ids=ids)
    np.testing.assert_array_equal(checked.counts.item, [3, 1])


def test_unknown_counts_are_free_and_a_single_one_follows() -> None:
    given: list[list[float | None]] = [[1, None, None], [2, np.nan, 1], [-1, -1, 0]]
    bags = class_counts(given, np.arange(12).reshape(3, 4))
    counts = check_bags(bags, 12, 3).counts
    np.testing.assert_array_equal(counts.low, [[1, 0, 0], [2, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(counts.high, [[1, 4, 4], [2, 1, 1], [4, 4, 0]])


def test_bags_without_items_are_left_out() -> None:
    checked = check_bags(class_counts([[1, 1], [0, 0], [2, 0]], bag_of=[2, 0, 0, 2]), 4, 2)
    np.testing.assert_array_equal(checked.counts.low, [[1, 1], [2, 0]])
    np.testing.assert_array_equal(checked.counts.bag, [0, 0, 1, 1])


def test_proportions_become_counts_with_the_stated_error() -> None:
    checked = check_bags(proportions([0.3, 0.7], range(25), tolerance=0.04), 25, 2).counts
    np.testing.assert_allclose(checked.centre, [[7.5, 17.5]])
    # Two factors on counts that mirror each other: together of variance (.04 * 25)^2 + 1/12.
    np.testing.assert_allclose(1 / (1 / checked.spread**2).sum(1), 1 + 1 / 12)
    assert (checked.low < 7.5 - 5).any()
    assert ((checked.low >= 0) & (checked.high <= 25)).all()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.29, 1 / 3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_rounding_never_makes_a_bag_impossible(share: float, size: int) -> None:
    counts = check_bags(proportions([share, 0.0, 1 - share], range(size)), size, 3).counts
    assert counts.low.sum() <= size <= counts.high.sum()


def test_declarations_of_all_kinds_are_kept_apart() -> None:
    bags = [at_least_one(1, [0, 1]), same_label([[2, 3], [4, 5, 6]]), different_label([7, 8]), none_of(0, [9])]
    checked = check_bags(bags, 11, 3)
    np.testing.assert_array_equal(checked.counts.low, [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(checked.counts.high, [[2, 2, 2], [0, 1, 1]])
    np.testing.assert_array_equal(checked.same_group, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(checked.different, [[7, 8]])
    np.testing.assert_array_equal(np.sort(checked.items), np.arange(10))


def test_no_declarations_are_no_bags() -> None:
    assert len(check_bags([], 3, 2).items) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: class_counts([2, 1], [0, 1]), "class_counts: bag 0 has 2 items, but its counts sum to 3"),
        (lambda: class_counts([0, 1], [0, 1]), "bag 0 has 2 items, but its counts sum to 1"),
        (
            lambda: class_counts([[1.0, 1.0], [3.0, np.nan]], [[0, 1], [2, 3]]),
            "bag 1 has 2 items, but its counts sum to 3",
        ),
        (lambda: class_counts([1, 0.5], [0, 1]), "bag 0 has count 0.5 for class 1, not a whole number"),
        (lambda: class_counts([1, -2], [0, 1]), "bag 0 has count -2.0 for class 1"),
        (lambda: class_counts(["many", "1"], [0]), "one number a class is needed"),
        (lambda: class_counts([[[1]]], [0]), "got shape (1, 1, 1)"),
        (lambda: class_counts([1, 1]), "give either items or bag_of"),
        (lambda: class_counts([1, 1], [0, 1], bag_of=[0, 0]), "give either items or bag_of"),
        (lambda: class_counts([1, 1], bag_of=[0, 1, 1]), "bag 1 has items, but values are given for 1 bags"),
        (lambda: class_counts([[1, 1], [1, 1]], [0, 1]), "values are given for 2 bags, but items for 1"),
        (lambda: class_counts([1, 1], bag_of=[0.0, 0.0]), "bag_of must hold one whole number an item, got float64"),
        (lambda: class_counts([1, 1], bag_of=[-1, -1]), "there are no items in the bags"),
        (lambda: class_counts([[1, 0], [0, 0]], [[0], []]), "bag 1 must list items"),
        (lambda: class_counts([[1, 0], [1, 0]], [[0], ["a"]]), "all by position or all by id"),
        (lambda: proportions([0.5, 0.6], [0, 1]), "proportions: the shares of bag 0 sum to 1.1, not to 1"),
        (lambda: proportions([1.5, None], [0, 1]), "bag 0 has share 1.5 for class 0, outside [0, 1]"),
        (lambda: proportions([0.5, 0.5], [0, 1], tolerance=-1), "tolerance must be 0 or more, got -1"),
        (lambda: at_least_one(-1, [0]), "at_least_one: label must be a class index, got -1"),
        (lambda: none_of(True, [0]), "none_of: label must be a class index, got True"),
        (lambda: different_label([0, 1, 2]), "different_label: bag 0 has 3 items"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_said(make: Callable[[], Bags], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(message)) as caught:
        make()
    assert caught.value.field == "bags"


@pytest.mark.parametrize(
    ("bags", "message"),
    [
        (class_counts([1, 1], [0, 9]), "class_counts: bag 0 has item 9, which is not in the votes"),
        (class_counts([1, 1], [0, -1]), "bag 0 has item -1"),
        (class_counts([1, 1], ["a", "b"]), "items are named by id, but the votes have no ids"),
        (class_counts([1, 1], bag_of=[0, 0]), "bag_of is given for 2 items, but the votes have 4"),
        (class_counts([1, 0, 0], [0]), "values are given for 3 classes, but the model has 2"),
        (none_of(2, [0]), "none_of: label 2 is outside 0..1"),
        (same_label([[0, 1], [2, 1]]), "item 1 is in bag 0 of same_label and again in bag 1 of same_label"),
        (
            [none_of(1, [[2], [3]]), same_label([3, 0])],
            "item 3 is in bag 1 of none_of and again in bag 0",
        ),
        ("bags", "bags must be made by class_counts"),
    ],
)
def test_what_does_not_fit_the_votes_is_refused(bags: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(message)):
        check_bags(bags, 4, 2)


def test_ids_that_are_not_in_the_votes_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="bag 0 has item 'z', which is not in the votes"):
        check_bags(same_label(["a", "z"]), 2, 2, item_ids=np.array(["a", "b"]))


@pytest.mark.parametrize(
    "bags",
    [
        [none_of(0, [2]), class_counts([1, 2], [0, 1, 3])],
        none_of(0, [[2], [1]]),
        at_least_one(1, [0, 1]),
        same_label([[2, 4], [0, 3], [1, 5]][::-1]),
        different_label([[4, 5], [0, 1]]),
        proportions([0.0, 1.0], [0, 1, 6]),
    ],
)
def test_gold_that_contradicts_a_bag_is_refused(bags: Any) -> None:
    gold = np.array([0, 0, -1, 1, -1, -1, 0], np.int32)
    with pytest.raises(InvalidArgumentError, match=r"the known labels of bag \d contradict what is said of it"):
        check_bags(bags, 7, 2, gold=gold)


@pytest.mark.parametrize(
    "bags",
    [
        class_counts([2, 2], range(4)),
        at_least_one(1, [0, 1, 2]),
        same_label([[0, 1, 2], [3, 4]]),
        different_label([1, 3]),
    ],
)
def test_gold_that_agrees_with_a_bag_is_accepted(bags: Bags) -> None:
    assert len(check_bags(bags, 6, 2, gold=np.array([0, 0, -1, 1, -1, -1], np.int32)).items)

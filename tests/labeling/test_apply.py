"""Running labeling functions over data in this process: votes, errors, preprocessing once an item, progress."""

from __future__ import annotations

import enum
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling import (
    Failure,
    LabelingFunction,
    LabelingFunctionWarning,
    apply,
    labeling_function,
    preprocessor,
)
from weaklabel.votes import ABSTAIN, ERROR, Votes
from weaklabel.votes.symbols import not_, one_of, soft


class Color(enum.IntEnum):
    RED = 0
    BLUE = 1


identity = labeling_function(name="identity")(lambda x: x)


@labeling_function
def divides(x: int) -> int:
    return 6 // x % 2


@labeling_function
def small(x: int) -> int:
    return 1 if x < 3 else ABSTAIN


@labeling_function
def small_or_not(x: Any) -> Any:
    return not_(2) if x == 2 else ABSTAIN


@given(st.lists(st.lists(st.integers(-1, 3), min_size=3, max_size=3), max_size=30))
def test_votes_are_what_the_functions_return(rows: list[list[int]]) -> None:
    functions = [
        LabelingFunction(lambda x, column: x[column], name=f"f{column}", resources={"column": column})
        for column in range(3)
    ]
    votes = apply(functions, rows, n_classes=4, progress=False)
    assert votes.source_names == ("f0", "f1", "f2")
    assert votes.to_codes().tolist() == rows
    assert votes.n_classes == 4
    assert not votes.errors.any()


def test_what_counts_as_a_vote() -> None:
    values = [1, np.int8(1), np.uint64(1), np.array(1), Color.BLUE, -1, np.int64(-1), None]
    votes = apply([identity], values, n_classes=2, progress=False)
    assert votes.to_codes()[:, 0].tolist() == [1, 1, 1, 1, 1, -1, -1, -1]


@pytest.mark.parametrize("value", ["1", 1.0, True, np.True_, [1], -2, 3, 2**40, np.nan, float("inf"), np.array([1])])
def test_what_does_not_is_an_error(value: Any) -> None:
    with pytest.warns(LabelingFunctionWarning, match="'identity' failed on 1 of 2 items.*\n.*returned"):
        votes = apply([identity], [0, value], n_classes=3, progress=False)
    assert votes.to_codes().tolist() == [[0], [ERROR]]
    assert votes.errors.tolist() == [1]


def test_reasons_of_wrong_values() -> None:
    failures: list[Failure] = []
    with pytest.warns(LabelingFunctionWarning):
        apply([identity], [0, True, "spam", 5], n_classes=3, progress=False, on_failure=failures.append)
    expected = "expected a class index, a vote made by one_of, not_ or soft, ABSTAIN or None"
    assert [failure.error for failure in failures] == [
        f"ValueError: returned True (bool); {expected}",
        f"ValueError: returned 'spam' (str); {expected}",
        "ValueError: returned 5; class indices are 0..2, and -1 abstains",
    ]


@pytest.mark.parametrize(
    ("labels", "n_classes"), [([0, 0], 2), ([-1, None], 2), ([0, 4], 5), ([0, 300], 301), ([0, 70_000], 70_001)]
)
def test_number_of_classes_where_it_is_not_given(labels: list[int | None], n_classes: int) -> None:
    votes = apply([identity], labels, progress=False)
    assert votes.n_classes == n_classes
    assert votes.to_dense()[:, 0].tolist() == [-1 if label is None else label for label in labels]


def test_a_label_too_large_for_any_votes_is_an_error() -> None:
    with pytest.warns(LabelingFunctionWarning, match="returned 2147483648"):
        assert apply([identity], [1, 2**31], progress=False).to_codes().tolist() == [[1], [ERROR]]
    with pytest.warns(LabelingFunctionWarning, match="names class 2147483648, outside 0..2147483646"):
        assert apply([identity], [1, not_(2**31)], progress=False).to_codes().tolist() == [[1], [ERROR]]


def test_votes_that_say_less_than_one_class() -> None:
    data = [one_of(0, 2), not_(1), soft([0.5, 0.25, 0.25]), 2, one_of(1), None, one_of(2, 0), not_(0)] * 300
    votes = apply([identity, small_or_not], data, n_classes=3, progress=False)
    expected = [[vote if vote is not None else ABSTAIN, not_(2) if vote == 2 else ABSTAIN] for vote in data]
    assert votes == Votes.from_dense(expected, 3, sources=["identity", "small_or_not"])
    assert votes.symbols.sets.tolist() == [[True, False, True], [True, True, False], [False, True, True]]


@pytest.mark.parametrize(
    ("labels", "n_classes"),
    [
        ([one_of(0, 3)], 4),
        ([not_(0)], 2),
        ([not_(0, 1)], 3),
        ([not_(2), 0], 3),
        ([soft([0.2, 0.3, 0.5]), 1], 3),
        ([one_of(0, 300), one_of(1, 2)], 301),
    ],
)
def test_number_of_classes_that_vote_objects_need(labels: list[Any], n_classes: int) -> None:
    votes = apply([identity], labels, progress=False)
    assert votes == Votes.from_dense([[label] for label in labels], n_classes, sources=["identity"])


def test_soft_votes_over_other_classes_need_the_number() -> None:
    labels = [soft([0.4, 0.6]), 2]
    with pytest.raises(
        InvalidArgumentError, match=r"has 2 probabilities; there are 3 classes.*Give n_classes"
    ) as caught:
        apply([identity], labels, progress=False)
    assert caught.value.field == "n_classes"
    with pytest.warns(LabelingFunctionWarning, match=r"returned soft\(\[0.4, 0.6\]\) has 2 probabilities"):
        assert apply([identity], labels, n_classes=3, progress=False).to_codes().tolist() == [[ERROR], [2]]


def test_more_vote_objects_than_small_codes_hold() -> None:
    labels = [soft([i / 3000, 1 - i / 3000]) for i in range(3000)]
    votes = apply([identity], labels, progress=False)
    assert votes == Votes.from_dense([[label] for label in labels], 2, sources=["identity"])
    assert len(votes.symbols.soft) == 2996  # of .9995 and more for a class, and of 1/2, there is no soft vote


@pytest.mark.parametrize("value", [one_of(0, 3), not_(0, 1, 2), not_(5)])
def test_vote_objects_out_of_range_are_errors(value: Any) -> None:
    with pytest.warns(LabelingFunctionWarning, match="'identity' failed on 1 of 2 items.*\n.*returned"):
        votes = apply([identity], [one_of(1, 2), value], n_classes=3, progress=False)
    assert votes.to_codes().tolist() == [[3], [ERROR]]


def test_the_run_goes_on_after_an_error() -> None:
    with pytest.warns(LabelingFunctionWarning) as caught:
        votes = apply([divides, small], [1, 0, 2, 0, 3], items=list("abcde"), progress=False)
    assert votes.to_codes().tolist() == [[0, 1], [ERROR, 1], [1, 1], [ERROR, 1], [0, -1]]
    assert votes.errors.tolist() == [2, 0]
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("labeling function 'divides' failed on 2 of 5 items")
    assert "item 1 ('b')" in message
    assert message.endswith("ZeroDivisionError: integer division or modulo by zero")
    assert "return 6 // x % 2" in message
    assert "weaklabel/labeling" not in message  # the traceback begins with the function's own code
    assert caught[0].filename == __file__


def test_failures_as_data() -> None:
    failures: list[Failure] = []
    with pytest.warns(LabelingFunctionWarning):
        apply([divides, small], [1, 0, "a", 0], progress=False, on_failure=failures.append)
    assert [(failure.function, failure.item) for failure in failures] == [
        ("divides", 1),
        ("divides", 2),
        ("small", 2),
        ("divides", 3),
    ]
    assert failures[2].error == "TypeError: '<' not supported between instances of 'str' and 'int'"
    assert failures[2].traceback.splitlines()[-1] == failures[2].error


def test_a_function_that_always_fails_is_described_once() -> None:
    described = []

    class BrokenError(Exception):
        def __str__(self) -> str:
            described.append(self.args[0])
            return "broken"

    @labeling_function
    def broken(x: int) -> int:
        raise BrokenError(x)

    with pytest.warns(LabelingFunctionWarning, match="failed on 5,000 of 5,000 items.*The first was item 0"):
        apply([broken], range(5000), progress=False)
    assert set(described) == {0}


def test_stop_at_the_first_error() -> None:
    seen = []

    @labeling_function
    def watch(x: int) -> None:
        seen.append(x)

    with pytest.raises(LabelingFunctionError, match="'divides' failed on item 1: ZeroDivisionError") as caught:
        apply([watch, divides], [1, 0, 2], on_error="raise", progress=False)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert seen == [1, 0]


def test_a_failure_is_told_with_the_id_of_its_item() -> None:
    failures: list[Failure] = []
    with pytest.warns(LabelingFunctionWarning, match=r"The first was item 1 \('i2'\):"):
        apply([divides], [1, 0], items=["i1", "i2"], on_failure=failures.append, progress=False)
    assert [failure.item_id for failure in failures] == ["i2"]
    with pytest.raises(LabelingFunctionError, match=r"failed on item 1 \('i2'\): ZeroDivisionError"):
        apply([divides], [1, 0], items=["i1", "i2"], on_error="raise", progress=False)


def test_too_few_ids_for_data_of_unknown_length() -> None:
    with pytest.raises(InvalidArgumentError, match="3 items, 1 ids"):
        apply([divides], (x for x in (1, 2, 0)), items=["a"], progress=False)


def test_stop_at_the_first_wrong_value() -> None:
    with pytest.raises(LabelingFunctionError, match="'identity' failed on item 1: ValueError: returned 'spam'"):
        apply([identity], [1, "spam"], on_error="raise", progress=False)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass_through(interrupt: type[BaseException]) -> None:
    @labeling_function
    def interrupted(x: int) -> int:
        raise interrupt

    with pytest.raises(interrupt):
        apply([interrupted], [1], progress=False)

    with pytest.raises(interrupt):
        apply([labeling_function(pre=[interrupted])(lambda x: x)], [1], progress=False)


def test_shared_preprocessing_is_done_once_an_item() -> None:
    calls: list[tuple[str, Any]] = []

    @preprocessor
    def double(x: int) -> int:
        calls.append(("double", x))
        return 2 * x

    @preprocessor(pre=[double], resources={"by": 1})
    def add(x: int, by: int) -> int:
        calls.append(("add", x))
        return x + by

    functions = [
        labeling_function(name="plain")(lambda x: x),
        labeling_function(name="doubled", pre=[double])(lambda x: x),
        labeling_function(name="added", pre=[add])(lambda x: x),
        labeling_function(name="added by list", pre=[double, add])(lambda x: x),
        labeling_function(name="doubled again", pre=[double])(lambda x: x),
    ]
    votes = apply(functions, [1, 1, 3], progress=False)
    # "added by list" doubles twice: `add` brings its own doubling with it.
    assert votes.to_dense().tolist() == [[1, 2, 3, 5, 2], [1, 2, 3, 5, 2], [3, 6, 7, 13, 6]]
    per_item = [[("double", x), ("add", 2 * x), ("double", 2 * x), ("add", 4 * x)] for x in (1, 1, 3)]
    assert calls == [call for one in per_item for call in one]
    assert [function(3) for function in functions] == votes.to_dense()[2].tolist()


def test_a_preprocessor_that_fails_is_an_error_of_each_function_that_needs_it() -> None:
    calls = []

    @preprocessor
    def invert(x: int) -> float:
        calls.append(x)
        return 1 / x

    one = labeling_function(name="one", pre=[invert])(lambda x: 1)
    two = labeling_function(name="two", pre=[invert, round])(lambda x: 1)
    with pytest.warns(LabelingFunctionWarning) as caught:
        votes = apply([one, small, two], [1, 0, 5], progress=False)
    assert votes.to_codes().tolist() == [[1, 1, 1], [ERROR, 1, ERROR], [1, -1, 1]]
    assert calls == [1, 0, 5]
    assert len(caught) == 2
    for warning in caught:
        assert "return 1 / x" in str(warning.message)
        assert "ZeroDivisionError: division by zero" in str(warning.message)
        assert "weaklabel/labeling" not in str(warning.message)


def test_items_of_a_generator() -> None:
    votes = apply([small], (x for x in range(5)), items=[10, 11, 12, 13, 14], progress=False)
    assert votes.to_dense()[:, 0].tolist() == [1, 1, 1, -1, -1]
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["10", "11", "12", "13", "14"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"functions": [small, small]}, "'small' appears twice"),
        ({"functions": []}, "no labeling functions"),
        ({"functions": small}, "must be a list"),
        ({"functions": [len]}, "len.* is not a labeling function"),
        ({"items": ["a"]}, "2 items, 1 ids"),
        ({"items": ["a", "a"]}, "'a' appears twice"),
        ({"items": ["a", None]}, "id of item 1 is None"),
        ({"items": "ab"}, "must be a list of names, got the text 'ab'"),
        ({"n_classes": 1}, "at least 2"),
        ({"n_classes": 0}, "at least 2"),
        ({"n_jobs": 0}, "n_jobs must be at least 1"),
        ({"on_error": "ignore"}, "on_error must be"),
    ],
)
def test_arguments_are_refused_before_the_run(arguments: dict[str, Any], reason: str) -> None:
    class Data(list[int]):
        def __iter__(self) -> Any:
            raise AssertionError("the data was touched")

    defaults: dict[str, Any] = {"functions": [small], "data": Data([1, 2]), "progress": False}
    with pytest.raises(InvalidArgumentError, match=reason):
        apply(**defaults | arguments)


def test_progress(capfd: pytest.CaptureFixture[str]) -> None:
    apply([small], range(50), progress=False)
    assert capfd.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelingFunctionWarning)
        apply([divides], [0, 1, 0], progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "errors=2" in err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("silent", [None, pd.NA, np.ma.masked])
def test_a_cell_that_is_missing_abstains(silent: Any) -> None:
    """As a function returns it that passes on the votes of a column; NaN is a number that went wrong."""

    @labeling_function
    def passed_on(x: Any) -> Any:
        return silent if x else 1

    assert apply([passed_on], [0, 1], n_classes=2, progress=False).to_codes().tolist() == [[1], [-1]]

"""Sources that vote on all items at once, among labeling functions."""

from collections.abc import Sequence
from typing import Any

import pytest

from weaklabel import ABSTAIN, LabelingFunction, Votes, apply, labeling_function
from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling import Failure, LabelingFunctionWarning
from weaklabel.labeling.sources import default_engine
from weaklabel.votes import ERROR
from weaklabel.votes.symbols import one_of


class Counting:
    """An engine that counts how often it is asked, and votes by the length of the items."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], int, int]] = []

    def answer(
        self, sources: Sequence[Any], items: Sequence[Any], *, n_classes: int, progress: bool
    ) -> tuple[Votes, list[Failure]]:
        self.calls.append(([source.name for source in sources], len(items), n_classes))
        rows = [[len(item) % n_classes if item else ERROR for _ in sources] for item in items]
        failures = [Failure(s.name, i, "empty", "empty") for i, item in enumerate(items) for s in sources if not item]
        return Votes.from_codes(rows, n_classes, sources=[source.name for source in sources]), failures


class Length:
    least_classes = 3

    def __init__(self, name: str) -> None:
        self.name = name


@default_engine.register
def _(source: Length) -> Counting:
    return Counting()


@labeling_function
def starts_with_a(x: str) -> int:
    return 0 if x.startswith("a") else ABSTAIN


def test_columns_stand_in_the_order_given_and_sources_are_asked_together() -> None:
    engine = Counting()
    votes = apply(
        [Length("one"), starts_with_a, Length("two")], iter(["a", "bb", "ccc"]), progress=False, engine=engine
    )
    assert votes.source_names == ("one", "starts_with_a", "two")
    assert votes.to_codes().tolist() == [[1, 0, 1], [2, -1, 2], [0, -1, 0]]
    assert engine.calls == [(["one", "two"], 3, 3)]


def test_classes_are_those_that_all_votes_fit() -> None:
    wide = LabelingFunction(lambda x: one_of(3, 4), name="wide")
    assert apply([wide, Length("one")], ["a"], progress=False).n_classes == 5
    assert apply([Length("one")], ["a"], n_classes=7, progress=False).n_classes == 7


def test_failures_of_sources_are_told_like_those_of_functions() -> None:
    failures: list[Failure] = []
    with pytest.warns(LabelingFunctionWarning, match="'one' failed on 1 of 2 items"):
        votes = apply([Length("one")], ["a", ""], items=["x", "y"], progress=False, on_failure=failures.append)
    assert votes.errors.tolist() == [1]
    assert [(one.item, one.item_id) for one in failures] == [(1, "y")]
    with pytest.raises(LabelingFunctionError, match="empty"):
        apply([Length("one")], ["a", ""], progress=False, on_error="raise")


def test_several_processes_run_the_functions_only() -> None:
    votes = apply([starts_with_a, Length("one")], ["a", "bb"], progress=False, n_jobs=2)
    assert votes.to_codes().tolist() == [[0, 1], [-1, 2]]


def test_a_name_may_not_repeat_across_kinds() -> None:
    with pytest.raises(InvalidArgumentError, match="appears twice"):
        apply([starts_with_a, Length("starts_with_a")], ["a"], progress=False)


def test_a_source_without_an_engine_is_refused_before_anything_is_called() -> None:
    class Bare:
        name, least_classes = "bare", 2

    called: list[str] = []

    @labeling_function
    def function(x: str) -> int:
        called.append(x)
        return 0

    with pytest.raises(InvalidArgumentError, match="'bare' has no default engine: give engine="):
        apply([function, Bare()], ["a"], progress=False)
    assert not called
    assert apply([function, Bare()], ["a"], progress=False, engine=Counting()).n_votes == 2

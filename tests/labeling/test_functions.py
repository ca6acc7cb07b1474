"""Labeling functions and preprocessors as objects: calling, naming, pickling, refusing."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunction, Preprocessor, Row, labeling_function, preprocessor


@labeling_function
def bare(x: str) -> int:
    """Votes by length."""
    return len(x)


@labeling_function()
def with_parentheses(x: str) -> int:
    return len(x)


@preprocessor
def upper(x: str) -> str:
    return x.upper()


@preprocessor(pre=[upper], resources={"mark": "!"}, name="marks")
def mark_it(x: str, mark: str) -> str:
    return x + mark


@labeling_function(name="is_a", resources={"wanted": "A!"}, pre=[mark_it])
def equals(x: str, wanted: str) -> int:
    return int(x == wanted)


def contains(x: str, word: str) -> int:
    return 1 if word in x else -1


def test_with_and_without_parentheses() -> None:
    assert bare("abc") == with_parentheses("abc") == 3
    assert bare.name == "bare"
    assert vars(bare)["__name__"] == "bare"
    assert bare.__doc__ == "Votes by length."
    assert repr(bare) == "LabelingFunction('bare')"


def test_resources_preprocessors_and_name() -> None:
    assert (equals.name, mark_it.name) == ("is_a", "marks")
    assert isinstance(mark_it, Preprocessor)
    assert equals("a") == 1
    assert equals("b") == 0
    assert mark_it("a") == "A!"


def test_any_callable_preprocesses() -> None:
    function = LabelingFunction(contains, name="b", resources={"word": "B"}, pre=[str.strip, upper])
    assert function(" b ") == 1


def test_a_row_is_copied_for_a_preprocessor() -> None:
    @preprocessor
    def count(x: Any) -> Any:
        x.n = len(x.text)
        return x

    @labeling_function(pre=[count])
    def length(x: Any) -> int:
        return int(x.n)

    row = Row({"text": "abc"})
    assert length(row) == 3
    assert dict(row) == {"text": "abc"}


@pytest.mark.parametrize("function", [bare, with_parentheses, equals, upper, mark_it])
def test_decorated_functions_are_pickled_by_name(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function


def test_functions_made_of_one_function_are_pickled_by_parts() -> None:
    function = LabelingFunction(contains, name="b", resources={"word": "B"}, pre=[upper])
    copy = pickle.loads(pickle.dumps(function))
    assert copy.name == "b"
    assert copy("abc") == 1
    assert copy("ac") == -1


def test_names_are_found_or_asked_for() -> None:
    assert LabelingFunction(functools.partial(contains, word="a"), name="a")("ba") == 1
    with pytest.raises(InvalidArgumentError, match="give name="):
        LabelingFunction(functools.partial(contains, word="a"))


def test_what_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="'is_a' is not a plain function"):
        labeling_function("is_a")  # type: ignore[call-overload]  # the name is a keyword argument
    with pytest.raises(InvalidArgumentError, match="not a plain function"):
        labeling_function(bare)
    with pytest.raises(InvalidArgumentError, match="pre must be a list"):
        labeling_function(pre=upper)(contains)  # type: ignore[call-overload]  # forgotten brackets

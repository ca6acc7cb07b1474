"""Labeling functions over documents: functions that return spans, or tags, of one document."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError

Found = list[list[tuple[int, int, str]] | None]


class SpanFunction:
    """A function of one document that returns the spans it finds. Made by `span_function`.

    Attributes:
        name: of the source.
    """

    def __init__(
        self, function: Callable[[Any], Iterable[tuple[int, int, str]] | None], name: str | None = None
    ) -> None:
        if not callable(function):
            raise InvalidArgumentError(f"{function!r} is not a function", field="function")
        functools.update_wrapper(self, function)
        self.name = str(name or getattr(function, "__name__", ""))
        if not self.name:
            raise InvalidArgumentError(f"{function!r} has no name of its own; give name=", field="name")
        self._function = function

    def __call__(self, document: Any) -> list[tuple[int, int, str]] | None:
        """The spans of one document; None if the function does not judge it."""
        found = self._function(document)
        return None if found is None else [tuple(one) for one in found]  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"SpanFunction({self.name!r})"


def span_function(function: Callable[[Any], Iterable[tuple[int, int, str]] | None]) -> SpanFunction:
    """Make a function of one document, which returns spans (start, end, type) in tokens, a labeling function.

    Examples:
        >>> @span_function
        ... def capitalized(document):
        ...     return [(at, at + 1, "PER") for at, word in enumerate(document) if word.istitle()]
        >>> apply_spans([capitalized], [["the", "Smith"], ["no"]])
        {'capitalized': [[(1, 2, 'PER')], []]}
    """
    return SpanFunction(function)


def apply_spans(functions: Sequence[SpanFunction], documents: Iterable[Any]) -> dict[str, Found]:
    """Call every function on every document; what comes is what `SequenceModel.fit` takes as votes.

    Args:
        functions: with distinct names.
        documents: D of them, of any kind that the functions know.

    Raises:
        InvalidArgumentError: for none, what is no span function, and names that repeat.
        LabelingFunctionError: if a function raises; the message names the function and the document.
    """
    if not functions or not all(isinstance(one, SpanFunction) for one in functions):
        raise InvalidArgumentError("functions must be a list of span functions", field="functions")
    names = [one.name for one in functions]
    if len(set(names)) < len(names):
        raise InvalidArgumentError(f"names of functions must differ, got {names}", field="functions")
    votes: dict[str, Found] = {name: [] for name in names}
    for at, document in enumerate(documents):
        for function in functions:
            try:
                votes[function.name].append(function(document))
            except Exception as error:
                raise LabelingFunctionError(f"{function.name!r} failed on document {at}: {error}") from error
    return votes

"""The seam between `apply` and sources that vote on all items at once, as prompts do, instead of item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any, Protocol, runtime_checkable

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.failures import Failure
from weaklabel.votes import Votes


class DataEngine(Protocol):
    """Runs sources that vote on all items at once; all those of a run go to one engine, together."""

    def answer(
        self, sources: Sequence[Any], items: Sequence[Any], *, n_classes: int, progress: bool
    ) -> tuple[Votes, list[Failure]]:
        """The votes [N, P] of P sources on N items over K classes, and every failure, in the order of items.

        One that has `source_names` makes so many sources.
        """
        ...


@runtime_checkable
class DataSource(Protocol):
    """A source that votes on all items at once."""

    @property
    def name(self) -> str:
        """Distinct among the sources of a run."""
        ...

    @property
    def least_classes(self) -> int:
        """The fewest classes over which its votes make sense."""
        ...


@runtime_checkable
class SpanSource(Protocol):
    """A source that finds the spans of all documents at once."""

    @property
    def name(self) -> str:
        """Distinct among the sources of a run."""
        ...

    @property
    def span_types(self) -> tuple[str, ...]:
        """The types of its spans."""
        ...


@runtime_checkable
class SpanEngine(Protocol):
    """Runs sources that find the spans of all documents at once; all those of a run go to one engine, together."""

    def find_spans(
        self, sources: Sequence[Any], documents: Sequence[Any], *, progress: bool
    ) -> Mapping[str, list[list[tuple[int, int, str]] | None]]:
        """By source, the spans (start, end, type) in characters of each document, None where there is no answer.

        Failures are told by LabelingFunctionWarning.
        """
        ...


def source_names(source: Any) -> tuple[str, ...]:
    """The names of the sources that a function or a data source makes: its own, or its `source_names` if it has any."""
    names = getattr(source, "source_names", None)
    return (source.name,) if names is None else tuple(names)


@singledispatch
def default_engine(source: Any) -> Any:
    """What runs a source where the caller of `apply` names no engine: a DataEngine, or a SpanEngine for a SpanSource.

    A source is data and does not know what runs it: an engine registers itself for the sources that it runs, as
    `default_engine.register(PromptFunction, ...)`.

    Raises:
        InvalidArgumentError: if no engine is registered for sources of this type.
    """
    raise InvalidArgumentError(f"source {source.name!r} has no default engine: give engine=", field="engine")

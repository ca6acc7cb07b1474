"""Warnings and errors of labeling functions that fail on items."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

_MACHINERY = __name__.rpartition(".")[0] + "."


class LabelingFunctionWarning(UserWarning):
    """A labeling function failed on items; its votes there are errors, not abstains."""


class StoppedError(Exception):
    """A run ends at a failure, as it was asked to; caused by the exception of the labeling function."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True)
class Failure:
    """One labeling function that failed on one item.

    Attributes:
        function: the name of the labeling function.
        item: the position of the item in the data, from 0.
        error: the exception in a line: its type and its message.
        traceback: the traceback as text, from the function's own code on.
        item_id: the id of the item, or None where items go by position.
    """

    function: str
    item: int
    error: str
    traceback: str
    item_id: str | None = None

    @property
    def place(self) -> str:
        """The item in words: its position, and its id where it has one."""
        return f"item {self.item}" + ("" if self.item_id is None else f" ({self.item_id!r})")

    @classmethod
    def of(cls, function: str, item: int, error: BaseException) -> Failure:
        """The failure that an exception is."""
        frames = error.__traceback__
        while frames and frames.tb_frame.f_globals.get("__name__", "").startswith(_MACHINERY):
            frames = frames.tb_next
        return cls(
            function,
            item,
            error=traceback.format_exception_only(error)[-1].strip(),
            traceback="".join(traceback.format_exception(type(error), error, frames)).rstrip(),
        )

    def __str__(self) -> str:
        return f"labeling function {self.function!r} failed on {self.place}: {self.error}"


def warn_of_failures(failures: Iterable[Failure], n_items: int, stacklevel: int = 4) -> None:
    """A LabelingFunctionWarning for each function that failed, with how often and the first of its failures."""
    first: dict[str, Failure] = {}
    counts: dict[str, int] = {}
    for one in failures:
        first.setdefault(one.function, one)
        counts[one.function] = counts.get(one.function, 0) + 1
    for name, count in counts.items():
        warn_of_function(first[name], count, n_items, stacklevel)


def warn_of_function(failure: Failure, count: int, n_items: int, stacklevel: int) -> None:
    """The warning of one function that failed `count` times, first so."""
    warnings.warn(
        f"labeling function {failure.function!r} failed on {count:,} of {n_items:,} items; these votes are errors, "
        f"not abstains. The first was {failure.place}:\n{failure.traceback}",
        LabelingFunctionWarning,
        stacklevel=stacklevel,
    )

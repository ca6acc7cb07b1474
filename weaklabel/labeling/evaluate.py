"""Labeling functions over a run of items: the inner loop, the same in every engine."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from weaklabel.labeling.failures import Failure, StoppedError
from weaklabel.labeling.functions import LabelingFunction, run_step, steps
from weaklabel.votes import ABSTAIN, ERROR, Codes, label_dtype
from weaklabel.votes.codebook import least_classes, misfit
from weaklabel.votes.symbols import ImpreciseVote
from weaklabel.votes.validation import is_missing

FIRST_SYMBOL = ERROR - 1
"""The code of a part's first vote object, and one less for each further one: K, from which on they belong, may not be
known before the run ends."""
_MOST_CLASSES = 2**31 - 1


class Part(NamedTuple):
    """What came of a run of items.

    Attributes:
        codes: [n, M] class index, ABSTAIN, ERROR, or FIRST_SYMBOL - j for the vote object j.
        failures: at least the first failure of every function, in the order of items; all of them if asked for.
        symbols: distinct vote objects.
    """

    codes: Codes
    failures: list[Failure]
    symbols: tuple[ImpreciseVote, ...] = ()


class Setting(NamedTuple):
    """How functions are evaluated; see `Evaluator`."""

    n_classes: int | None
    stop_at_errors: bool
    keep_failures: bool


class _Broken(NamedTuple):
    """Stands for the item that a preprocessor failed to make."""

    error: Exception


class Evaluator:
    """Calls M labeling functions on items; a preprocessor that several of them share is called once an item.

    Args:
        functions: M labeling functions.
        n_classes: K, or None where it is not known; a vote that does not fit it is an error of the function.
        stop_at_errors: raise StoppedError at the first error instead of recording it.
        keep_failures: describe every failure, not only the first of every function.
    """

    def __init__(
        self,
        functions: Sequence[LabelingFunction],
        n_classes: int | None,
        *,
        stop_at_errors: bool,
        keep_failures: bool,
    ) -> None:
        # The preprocessing is a tree: a node an item in one state, the root the item as it is, a branch a step.
        self._steps: list[tuple[int, Callable[[Any], Any]]] = []
        self._calls: list[tuple[int, Callable[[Any], Any]]] = []
        nodes: dict[tuple[int, int], int] = {}
        for function in functions:
            node = 0
            for step in steps(function):
                parent = node
                node = nodes.setdefault((parent, id(step)), len(nodes) + 1)
                if node > len(self._steps):
                    self._steps.append((parent, step))
            self._calls.append((node, function.body))
        self._functions = functions  # keeps the steps alive, which are told apart by id
        self._n_classes = n_classes
        self._limit = n_classes or _MOST_CLASSES
        self._stop_at_errors = stop_at_errors
        self._keep_failures = keep_failures
        self._failed: set[str] = set()

    def __call__(self, items: Sequence[Any], first: int) -> Part:
        """Votes on some items, of which the first stands at position `first` of the data."""
        codes: list[int] = []
        failures: list[Failure] = []
        symbols: dict[ImpreciseVote, int] = {}
        add, limit = codes.append, self._limit
        for position, item in enumerate(items, first):
            states = [item]
            for parent, step in self._steps:
                states.append(self._preprocess(step, states[parent]))
            for column, (node, body) in enumerate(self._calls):
                state = states[node]
                if node and isinstance(state, _Broken):
                    self._fail(column, position, state.error, failures)
                    add(ERROR)
                    continue
                try:
                    value = body(state)
                    # Nearly always a plain int in range; only what is not pays for the closer look.
                    add(value if type(value) is int and ABSTAIN <= value < limit else self._as_code(value, symbols))
                except Exception as error:
                    self._fail(column, position, error, failures)
                    add(ERROR)
        most = max(max(codes, default=0), len(symbols) - FIRST_SYMBOL)
        matrix = np.array(codes, label_dtype(most + 1)).reshape(len(items), len(self._calls))
        return Part(matrix, failures, tuple(symbols))

    def _as_code(self, value: Any, symbols: dict[ImpreciseVote, int]) -> int:
        """The code of what a function returned, a new vote object numbered.

        Raises:
            ValueError: if it is not a vote, or does not fit K; it says why.
        """
        if value is None or (not isinstance(value, Real) and is_missing(value)):  # NaN says that it went wrong
            return ABSTAIN
        if isinstance(value, ImpreciseVote):
            n_classes = self._n_classes or min(least_classes(value), self._limit)
            if reason := misfit(value, n_classes):
                raise ValueError(f"returned {reason}")
            return FIRST_SYMBOL - symbols.setdefault(value, len(symbols))
        return _as_class(value, self._limit)

    def _preprocess(self, step: Callable[[Any], Any], state: Any) -> Any:
        if isinstance(state, _Broken):
            return state
        try:
            return run_step(step, state)
        except Exception as error:
            return _Broken(error)

    def _fail(self, column: int, position: int, error: Exception, failures: list[Failure]) -> None:
        name = self._functions[column].name
        if self._stop_at_errors:
            raise StoppedError(Failure.of(name, position, error)) from error
        if self._keep_failures or name not in self._failed:
            self._failed.add(name)
            failures.append(Failure.of(name, position, error))


def _as_class(value: Any, limit: int) -> int:
    """A class index or ABSTAIN; ValueError, with the reason, for anything else."""
    try:
        # A bool has an index too, but says nothing of whether False is class 0 or an abstain.
        code = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        code = None
    if code is None:
        raise ValueError(
            f"returned {reprlib.repr(value)} ({type(value).__name__}); expected a class index, a vote made by one_of, "
            "not_ or soft, ABSTAIN or None"
        )
    if not ABSTAIN <= code < limit:
        raise ValueError(f"returned {code}; class indices are 0..{limit - 1}, and {ABSTAIN} abstains")
    return code

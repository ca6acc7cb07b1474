"""Labeling functions and preprocessors: functions of one item, with the values and the preprocessing they need."""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, SupportsIndex, overload

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.rows import Row
from weaklabel.votes.symbols import ImpreciseVote

_MISSING = object()
Vote = SupportsIndex | ImpreciseVote | None  # a class index, ABSTAIN, or None, which abstains too; or a vote object


class OpenedOnce:
    """A resource that each process opens for itself, when a function first needs it. Made by `opened_once`."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], names: Mapping[str, Any]) -> None:
        self._recipe = function, arguments, dict(names)
        self._opened: Any = _MISSING

    def get(self) -> Any:
        """What the function has returned, at the first call."""
        if self._opened is _MISSING:
            function, arguments, names = self._recipe
            self._opened = function(*arguments, **names)
        return self._opened

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._recipe

    def __repr__(self) -> str:
        return f"opened_once({self._recipe[0]!r}, ...)"


def opened_once(function: Callable[..., Any], /, *arguments: Any, **names: Any) -> OpenedOnce:
    """A resource that cannot be pickled, or is large: a connection, a model, a pipeline.

    It is opened by `function(*arguments, **names)` when an item first needs it, once in each process that runs labeling
    functions; functions that are given one and the same object share it. If opening fails, the function has failed on
    that item, and it is tried again on the next.

    Examples:
        >>> words = opened_once(frozenset, ["free", "win"])
        >>> @labeling_function(resources={"words": words})
        ... def names_a_prize(x, words):
        ...     return 1 if words & set(x.text.split()) else None
    """
    return OpenedOnce(function, arguments, names)


def _given(function: Callable[..., Any], resources: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The function with its resources; those that are to be opened are, at the first call."""
    ready = {name: value for name, value in resources.items() if not isinstance(value, OpenedOnce)}
    later = {name: value for name, value in resources.items() if isinstance(value, OpenedOnce)}
    bound = functools.partial(function, **ready)
    if not later:
        return bound
    return lambda x: bound(x, **{name: value.get() for name, value in later.items()})


class ItemFunction:
    """What labeling functions and preprocessors share: a name, resources, preprocessing, and being picklable.

    Attributes:
        name: its name.
        resources: keyword arguments given to every call.
        pre: preprocessors that the item goes through first, in order.
        body: the function on a preprocessed item, resources included.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        pre: Iterable[Callable[[Any], Any]] = (),
    ) -> None:
        if not callable(function) or isinstance(function, ItemFunction):
            raise InvalidArgumentError(f"{function!r} is not a plain function to wrap", field="function")
        if callable(pre):
            raise InvalidArgumentError("pre must be a list of preprocessors", field="pre")
        functools.update_wrapper(self, function)
        own_name = name or getattr(function, "__name__", None)
        if not own_name:
            raise InvalidArgumentError(f"{function!r} has no name of its own; give name=", field="name")
        self.name: str = own_name
        self.resources = dict(resources or {})
        self.pre = tuple(pre)
        self.body: Callable[[Any], Any] = _given(function, self.resources) if resources else function
        self._function = function

    def __call__(self, x: Any) -> Any:
        """Preprocess the item and call the function."""
        for step in steps(self):
            x = run_step(step, x)
        return self.body(x)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Decorated at the top level of a module, the function that is wrapped cannot be found by its name: this object
        # stands there in its place. So it is pickled as functions are, by that name, and by its parts otherwise.
        path: str = getattr(self, "__qualname__", "")
        try:
            if attrgetter(path)(sys.modules[self.__module__]) is self:
                return path
        except (AttributeError, KeyError):
            pass
        return self._by_parts()

    def _by_parts(self) -> tuple[Any, ...]:
        """How it is pickled where it cannot be found by its name."""
        return type(self), (self._function, self.name, self.resources, self.pre)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Preprocessor(ItemFunction):
    """A function item -> item that labeling functions share; `apply` calls it once an item. See `preprocessor`."""


class LabelingFunction(ItemFunction):
    """A function that votes on an item. Made by `labeling_function`; several of one function are made directly.

    Args:
        function: takes an item and the resources; returns a class index 0..K-1, a vote that says less (`one_of`,
            `not_`, `soft`), or ABSTAIN, None or `pandas.NA` to abstain. Integers of numpy and members of an IntEnum are
            class indices too. Anything else is an error of the function, True and False included: they do not say
            whether False is class 0 or an abstain.
        name: distinct among the functions of a run; that of the function where not given.
        resources: keyword arguments given to every call; those made by `opened_once` as what they open.
        pre: preprocessors, or any callables item -> item, that the item goes through first, in order.

    Raises:
        InvalidArgumentError: for a function without a name, or one that is wrapped already.

    Examples:
        >>> def mentions(x, word, label):
        ...     return label if word in x.text else ABSTAIN
        >>> rules = [LabelingFunction(mentions, name=w, resources={"word": w, "label": SPAM}) for w in ("buy", "win")]
    """

    def __call__(self, x: Any) -> Vote:
        """The vote on one item, as the function returned it: preprocessing done, nothing checked, nothing caught."""
        vote: Vote = super().__call__(x)
        return vote


def steps(function: Any) -> Iterator[Callable[[Any], Any]]:
    """The preprocessing of a function from first to last; a preprocessor's own comes before it."""
    if isinstance(function, ItemFunction):
        for one in function.pre:
            yield from steps(one)
            yield one


def run_step(step: Callable[[Any], Any], item: Any) -> Any:
    """One step of preprocessing. Of a row it gets a copy, so that what it sets is seen by its followers only."""
    given = copy.copy(item) if isinstance(item, Row) else item
    return step.body(given) if isinstance(step, Preprocessor) else step(given)


@overload
def labeling_function(function: Callable[..., Vote], /) -> LabelingFunction: ...
@overload
def labeling_function(
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
) -> Callable[[Callable[..., Vote]], LabelingFunction]: ...
def labeling_function(
    function: Callable[..., Vote] | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
) -> LabelingFunction | Callable[[Callable[..., Vote]], LabelingFunction]:
    """Make a function of one item a labeling function; with or without parentheses. See `LabelingFunction`.

    Examples:
        >>> @labeling_function(resources={"links": ("http", "www.")})
        ... def contains_link(x, links):
        ...     return SPAM if any(link in x.text for link in links) else ABSTAIN
    """
    if function is not None:
        return LabelingFunction(function)
    return lambda wrapped: LabelingFunction(wrapped, name, resources, pre)


@overload
def preprocessor(function: Callable[..., Any], /) -> Preprocessor: ...
@overload
def preprocessor(
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
) -> Callable[[Callable[..., Any]], Preprocessor]: ...
def preprocessor(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
) -> Preprocessor | Callable[[Callable[..., Any]], Preprocessor]:
    """Make a function item -> item a preprocessor; with or without parentheses.

    In a run it is called once an item, however many labeling functions name it. A row it is given is a copy, so it may
    set attributes and return it; an item of any other type it must not change.

    Examples:
        >>> @preprocessor
        ... def words(x):
        ...     x.words = x.text.lower().split()
        ...     return x
        >>> @labeling_function(pre=[words])
        ... def short(x):
        ...     return HAM if len(x.words) < 5 else ABSTAIN
    """
    if function is not None:
        return Preprocessor(function)
    return lambda wrapped: Preprocessor(wrapped, name, resources, pre)

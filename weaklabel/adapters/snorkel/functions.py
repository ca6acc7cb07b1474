"""Labeling functions, slicing functions and preprocessors by the arguments of Snorkel; and Snorkel's own ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from weaklabel import labeling
from weaklabel.adapters.spacy import DEFAULT_LANGUAGE, SpacyPreprocessor
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import Preprocessor, Row
from weaklabel.votes.frames import pandas

Steps = Iterable[Callable[[Any], Any]] | None


class LabelingFunction(labeling.LabelingFunction):
    """A labeling function, its arguments in the order of Snorkel; `weaklabel.apply` takes it as well.

    Args:
        name: distinct among the functions of a run.
        f: takes an item and the resources, returns a class index or -1 to abstain.
        resources: keyword arguments given to every call.
        pre: preprocessors.

    Raises:
        InvalidArgumentError: as `weaklabel.LabelingFunction`.
    """

    def __init__(
        self, name: str, f: Callable[..., Any], resources: Mapping[str, Any] | None = None, pre: Steps = None
    ) -> None:
        super().__init__(f, name, resources, pre or ())

    def __reduce__(self) -> str | tuple[Any, ...]:
        reduced = super().__reduce__()
        return (
            reduced if isinstance(reduced, str) else (type(self), (self.name, self._function, self.resources, self.pre))
        )


class SlicingFunction(LabelingFunction):
    """Whether an item is in a slice: True or False, or the numbers 1 and 0; -1 counts as out of it."""

    def __init__(
        self, name: str, f: Callable[..., Any], resources: Mapping[str, Any] | None = None, pre: Steps = None
    ) -> None:
        super().__init__(name, f, resources, pre)
        self.body = _WholeNumber(self.body)


class _WholeNumber:
    """A function whose True is 1, as slicing functions have it."""

    def __init__(self, body: Callable[[Any], Any]) -> None:
        self._body = body

    def __call__(self, x: Any) -> int:
        return int(self._body(x))


def labeling_function(
    name: str | Callable[..., Any] | None = None, resources: Mapping[str, Any] | None = None, pre: Steps = None
) -> Any:
    """Make a function a labeling function, with or without parentheses.

    Examples:
        >>> @labeling_function(resources={"links": ("http", "www.")})
        ... def contains_link(x, links):
        ...     return 1 if any(link in x.text for link in links) else -1
    """
    return _decorated(LabelingFunction, name, resources=resources, pre=pre)


def slicing_function(
    name: str | Callable[..., Any] | None = None, resources: Mapping[str, Any] | None = None, pre: Steps = None
) -> Any:
    """Make a function a slicing function, with or without parentheses."""
    return _decorated(SlicingFunction, name, resources=resources, pre=pre)


def preprocessor(
    name: str | Callable[..., Any] | None = None,
    pre: Steps = None,
    memoize: bool = False,  # noqa: ARG001  # a preprocessor is called once an item anyway
    memoize_key: Callable[[Any], Any] | None = None,  # noqa: ARG001
) -> Any:
    """Make a function item -> item a preprocessor, with or without parentheses.

    In a run it is called once an item, however many functions name it, so `memoize` and `memoize_key` change nothing.
    """
    if callable(name):
        return labeling.preprocessor(name)
    return labeling.preprocessor(name=name, pre=tuple(pre or ()))


def nlp_labeling_function(
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Steps = None,
    text_field: str = "text",
    doc_field: str = "doc",
    language: str = DEFAULT_LANGUAGE,
    disable: Iterable[str] | None = None,
    memoize: bool = True,  # noqa: ARG001
    memoize_key: Callable[[Any], Any] | None = None,  # noqa: ARG001
    gpu: bool = False,
) -> Callable[[Callable[..., Any]], LabelingFunction]:
    """Make a function a labeling function whose items have a spaCy document as `x.doc`.

    Functions with the same settings share the document: it is made once an item.

    Raises:
        MissingExtraError: if spaCy is not installed.
        InvalidArgumentError: if the language's model is not installed.
    """
    step = _shared_document(text_field, doc_field, language, tuple(disable or ()), tuple(pre or ()), gpu)
    return lambda f: LabelingFunction(name or f.__name__, f, resources, [step])


@functools.lru_cache(maxsize=8)
def _shared_document(
    text_field: str, doc_field: str, language: str, disable: tuple[str, ...], pre: tuple[Any, ...], gpu: bool
) -> SpacyPreprocessor:
    return SpacyPreprocessor(text_field, doc_field, language, disable, pre, gpu=gpu)


def _decorated(kind: type[LabelingFunction], name: Any, **given: Any) -> Any:
    if callable(name):
        return kind(name.__name__, name)
    return lambda f: kind(name or f.__name__, f, **given)


def from_snorkel(functions: Iterable[Any]) -> list[labeling.LabelingFunction]:
    """Labeling functions that were made by Snorkel itself, for `weaklabel.apply`; those of weaklabel stay as they are.

    Rows of tables are given to them as pandas Series, as Snorkel's applier for pandas does, with their preprocessors
    and their caches as they were made.

    Args:
        functions: objects of `snorkel.labeling`.

    Raises:
        InvalidArgumentError: for what is no labeling function of either.
        MissingExtraError: if pandas is not installed.
    """
    return [_taken_over(function) for function in functions]


def _taken_over(function: Any) -> labeling.LabelingFunction:
    if isinstance(function, labeling.LabelingFunction):
        return function
    if not (callable(function) and hasattr(function, "name") and hasattr(function, "_f")):
        raise InvalidArgumentError(
            f"{function!r} is not a labeling function of Snorkel: decorate it with @labeling_function()",
            field="functions",
        )
    return labeling.LabelingFunction(function, name=function.name, pre=[_AS_SERIES])


def _as_series(x: Any) -> Any:
    return pandas().Series(dict(x)) if isinstance(x, Row) else x


_AS_SERIES = Preprocessor(_as_series)
"""Shared, so that a row is made a Series once, however many functions there are."""

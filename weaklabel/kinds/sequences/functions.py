"""Labeling functions over documents: functions that return the spans of one document, and what runs them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, overload

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.kinds.sequences.documents import Document, check_documents
from weaklabel.kinds.sequences.spans import token_spans
from weaklabel.labeling.functions import ItemFunction
from weaklabel.labeling.sources import SpanEngine, SpanSource, default_engine

Found = list[list[tuple[int, int, str]] | None]
Offsets = Literal["tokens", "characters"]
_Finder = Callable[..., Iterable[tuple[int, int, str]] | None]


class SpanFunction(ItemFunction):
    """A function of one document that returns the spans it finds. Made by `span_function`.

    Args:
        function: takes a document and the resources; returns spans (start, end, type), end exclusive, or None if it
            does not judge the document.
        name: distinct among the sources of a run; that of the function where not given.
        resources: keyword arguments given to every call.
        pre: preprocessors that the document goes through first, in order.
        offsets: of its spans: "tokens", or "characters" of a `Document`; these become the tokens that they touch.

    Raises:
        InvalidArgumentError: for a function without a name, and other offsets.
    """

    def __init__(
        self,
        function: _Finder,
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        pre: Iterable[Callable[[Any], Any]] = (),
        offsets: Offsets = "tokens",
    ) -> None:
        if offsets not in ("tokens", "characters"):
            raise InvalidArgumentError(f'offsets must be "tokens" or "characters", got {offsets!r}', field="offsets")
        super().__init__(function, name, resources, pre)
        self.offsets = offsets

    def __call__(self, document: Any) -> list[tuple[int, int, str]] | None:
        """The spans of one document in tokens; None if the function does not judge it."""
        found = super().__call__(document)
        if found is None:
            return None
        if self.offsets == "characters":
            check_documents([document], self.name)
            found = token_spans(found, document.offsets, text=document.text)
        spans: list[tuple[int, int, str]] = [tuple(one) for one in found]
        return spans

    def _by_parts(self) -> tuple[Any, ...]:
        return (*super()._by_parts()[:1], (self._function, self.name, self.resources, self.pre, self.offsets))


@overload
def span_function(function: _Finder, /) -> SpanFunction: ...
@overload
def span_function(
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
    offsets: Offsets = "tokens",
) -> Callable[[_Finder], SpanFunction]: ...
def span_function(
    function: _Finder | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    pre: Iterable[Callable[[Any], Any]] = (),
    offsets: Offsets = "tokens",
) -> SpanFunction | Callable[[_Finder], SpanFunction]:
    """Make a function of one document, which returns spans (start, end, type), a labeling function. See `SpanFunction`.

    Examples:
        >>> @span_function
        ... def capitalized(document):
        ...     return [(at, at + 1, "PER") for at, word in enumerate(document) if word.istitle()]
        >>> apply_spans([capitalized], [["the", "Smith"], ["no"]])
        {'capitalized': [[(1, 2, 'PER')], []]}
        >>> import re
        >>> from weaklabel.kinds.sequences import Document
        >>> @span_function(offsets="characters")
        ... def year(document):
        ...     return [(*match.span(), "DATE") for match in re.finditer("[0-9]{4}", document.text)]
        >>> apply_spans([year], [Document.from_text("since 1987.")])
        {'year': [[(1, 2, 'DATE')]]}
    """
    if function is not None:
        return SpanFunction(function)
    return lambda wrapped: SpanFunction(wrapped, name, resources, pre, offsets)


def apply_spans(
    functions: Sequence[SpanFunction | SpanSource],
    documents: Iterable[Any],
    *,
    engine: SpanEngine | None = None,
    progress: bool = True,
) -> dict[str, Found]:
    """Call every function on every document; what comes is what `SequenceModel.fit` takes as votes.

    Args:
        functions: with distinct names. Prompts that find spans (`weaklabel.prompts.SpanPrompt`) may be among them.
        documents: D of them, of any kind that the functions know; a `Document` where spans are in characters, as those
            of prompts are.
        engine: what runs prompts, as a `PromptEngine`; their own default where not given.
        progress: show a bar for the calls of prompts.

    Raises:
        InvalidArgumentError: for none, what is no span function, names that repeat, and documents without a text where
            spans are in characters.
        LabelingFunctionError: if a function raises, or gives a span outside of the text; the message names the function
            and the document.
    """
    if not functions or not all(isinstance(one, SpanFunction | SpanSource) for one in functions):
        raise InvalidArgumentError("functions must be a list of span functions", field="functions")
    names = [one.name for one in functions]
    if len(set(names)) < len(names):
        raise InvalidArgumentError(f"names of functions must differ, got {names}", field="functions")
    rules = [one for one in functions if isinstance(one, SpanFunction)]
    sources = [one for one in functions if not isinstance(one, SpanFunction)]
    kept = list(documents)
    for name in [one.name for one in rules if one.offsets == "characters"] + [one.name for one in sources]:
        check_documents(kept, name)
    votes: dict[str, Found] = {name: [] for name in names}
    for at, document in enumerate(kept):
        for function in rules:
            try:
                votes[function.name].append(function(document))
            except Exception as error:
                raise LabelingFunctionError(f"{function.name!r} failed on document {at}: {error}") from error
    if sources:
        found = (engine or default_engine(sources[0])).find_spans(sources, kept, progress=progress)
        votes |= {one.name: token_votes(found[one.name], kept) for one in sources}
    return votes


def token_votes(found: Sequence[Iterable[tuple[int, int, str]] | None], documents: Sequence[Any]) -> Found:
    """Votes in tokens of the spans of one source in characters.

    Of spans that touch the same token the longest is kept, and of equally long ones the first: votes do not overlap.
    A span that touches no token is left out.

    Args:
        found: spans (start, end, type) in characters of each document, None where there is no answer.
        documents: D of `Document`.

    Raises:
        InvalidArgumentError: for another number of documents, those without a text, and a span outside of the text.
    """
    if len(found) != len(documents):
        raise InvalidArgumentError(
            f"there are spans of {len(found)} documents, but {len(documents)} documents", field="found"
        )
    check_documents(documents, "token_votes")
    return [
        None if some is None else _apart(token_spans(_touching(some, one), one.offsets, text=one.text))
        for some, one in zip(found, documents, strict=True)
    ]


def _touching(spans: Iterable[tuple[int, int, str]], document: Document) -> list[tuple[int, int, str]]:
    """The spans without those between tokens, which are within the text all the same."""
    starts, ends = ([one[at] for one in document.offsets] for at in (0, 1))
    return [
        (start, end, kind)
        for start, end, kind in spans
        if not 0 <= start < end <= len(document.text) or bisect_right(ends, start) < bisect_left(starts, end)
    ]


def _apart(spans: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans without those that overlap a longer one, in order of tokens."""
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans, key=lambda one: one[0] - one[1]):
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, kind))
    return sorted(kept)

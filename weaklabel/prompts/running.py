"""One run of functions and prompts over data, whatever the prompts give: votes, spans or judgements."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.applier import apply
from weaklabel.labeling.failures import Failure, warn_of_failures
from weaklabel.labeling.rows import read_ids, read_items
from weaklabel.prompts.declaration.judge_prompt import JudgePrompt
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.requests.pairs import read_pairs
from weaklabel.prompts.results import JudgeRun, PromptRun, SpanRun, Spent
from weaklabel.prompts.runner.batch_options import BatchOptions
from weaklabel.prompts.runner.judgements import comparisons, of_pairs, winners
from weaklabel.prompts.runner.outcome import Outcome
from weaklabel.prompts.runner.progress import ProgressCallback
from weaklabel.prompts.runner.summary import summarize, summarize_spans
from weaklabel.votes import Votes
from weaklabel.votes.validation import check_names

_T = TypeVar("_T")


class Asking:
    """How prompts are asked in a run; an engine that keeps what `apply` does not hand out.

    Args:
        engine: asks them.
        progress: as of `run`.
        batches: how batches are awaited; None to ask call by call.
        ask_again: as of `run`.
    """

    def __init__(
        self,
        engine: PromptEngine,
        progress: bool | ProgressCallback,
        batches: BatchOptions | None,
        ask_again: bool | Collection[int],
    ) -> None:
        self.engine, self.progress, self.batches = engine, progress, batches
        self.again: bool | frozenset[int] = ask_again if isinstance(ask_again, bool) else frozenset(ask_again)
        self._outcome: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """What came of the prompts of `apply`.

        Raises:
            InvalidArgumentError: if there was none.
        """
        if self._outcome is None:
            raise InvalidArgumentError("there is no prompt among the functions: use apply", field="functions")
        return self._outcome

    def answer(
        self, sources: Sequence[Any], items: Sequence[Any], *, n_classes: int, progress: bool
    ) -> tuple[Votes, list[Failure]]:
        """The votes of prompts, for `apply`."""
        del progress  # the run's own, which may be more than a bar
        self._outcome = self.engine.ask(
            sources,
            items,
            n_classes=n_classes,
            progress=self.progress,
            batches=self.batches,
            ask_again=self.again,
        )
        return self._outcome.votes, self._outcome.failures


def run_functions(
    functions: Any, data: Any, asking: Asking, n_classes: int | None, items: Iterable[Hashable] | None
) -> PromptRun | SpanRun | JudgeRun:
    """Run functions of one kind over data; see `run`.

    Raises:
        EndpointError, InvalidArgumentError: as of `run`.
    """
    listed = list(functions) if isinstance(functions, Sequence) and not isinstance(functions, str) else []
    spans, judges = _only(listed, SpanPrompt), _only(listed, JudgePrompt)
    if not spans and not judges:
        return _run_votes(functions, data, asking, n_classes, items)
    if n_classes is not None:
        raise InvalidArgumentError("n_classes is of prompts that vote for classes", field="n_classes")
    source = read_items(data)
    ids = read_ids(source, items)
    listed_ids = None if ids is None else ids.tolist()
    return (
        _run_spans(spans, source.items, asking, listed_ids)
        if spans
        else _run_judges(judges, source.items, asking, listed_ids)
    )


def prompts_and_items(functions: Any, data: Any) -> tuple[list[Prompt], list[Any]]:
    """The prompts among functions, and the items that they are asked about: of judges, pairs in both orders.

    Raises:
        InvalidArgumentError: as of `run`.
    """
    items, judges = read_items(data).items, _only(functions, JudgePrompt)
    if judges:
        functions = [one.as_function() for one in judges]
        items = read_pairs(items, functions).shown
    spans: list[Prompt] = [*_only(functions, SpanPrompt)]
    return spans or [one for one in functions if isinstance(one, PromptFunction)], list(items)


def _only(functions: Sequence[Any], kind: type[_T]) -> list[_T]:
    """The functions, if all are of a kind; none of them, if none is."""
    found = [one for one in functions if isinstance(one, kind)]
    if found and len(found) < len(functions):
        raise InvalidArgumentError(
            f"prompts that are a {kind.__name__} go to a run of their own: what they give is no vote for a class",
            field="functions",
        )
    names = [str(getattr(one, "name", "")) for one in found]
    check_names(names, len(names))
    return found


def _run_votes(
    functions: Any, data: Any, asking: Asking, n_classes: int | None, items: Iterable[Hashable] | None
) -> PromptRun:
    votes = apply(functions, data, n_classes=n_classes, items=items, progress=asking.progress is True, engine=asking)
    outcome = asking.outcome
    column_of = {name: at for at, name in enumerate(votes.source_names)}
    missing = np.zeros(votes.shape, bool)
    missing[:, [column_of[name] for name in outcome.votes.source_names]] = outcome.missing
    ids = votes.item_ids
    return PromptRun(
        votes=votes,
        missing=missing,
        failures=tuple(_with_ids(outcome.failures, None if ids is None else ids.tolist())),
        spent=Spent.of(outcome.result),
        summary=summarize(outcome, votes),
        families={name: one.group for one in functions if isinstance(one, PromptFunction) for name in one.source_names},
        stopped=outcome.result.stopped,
        _result=outcome.result,
    )


def _run_spans(
    prompts: Sequence[SpanPrompt], documents: Iterable[Any], asking: Asking, ids: Sequence[str] | None
) -> SpanRun:
    kept = list(documents)
    outcome = asking.engine.ask_spans(
        prompts, kept, progress=asking.progress, batches=asking.batches, ask_again=asking.again
    )
    failures = _with_ids(outcome.failures, ids)
    warn_of_failures(failures, len(kept))
    return SpanRun(
        spans=outcome.spans,
        missing=outcome.missing,
        failures=tuple(failures),
        spent=Spent.of(outcome.result),
        summary=summarize_spans(outcome),
        families={one.name: one.group for one in prompts},
        stopped=outcome.result.stopped,
        _result=outcome.result,
        _ids=ids,
    )


def _run_judges(
    judges: Sequence[JudgePrompt], rows: Iterable[Any], asking: Asking, ids: Sequence[str] | None
) -> JudgeRun:
    functions = [one.as_function() for one in judges]
    pairs = read_pairs(rows, functions)
    again = (
        asking.again
        if isinstance(asking.again, bool)
        else {2 * at + turned for at in asking.again for turned in (0, 1)}
    )
    outcome = asking.engine.ask(
        functions, pairs.shown, n_classes=3, progress=asking.progress, batches=asking.batches, ask_again=again
    )
    failures = _with_ids(of_pairs(outcome.failures), ids)
    warn_of_failures(failures, len(pairs.shown))
    won, names = winners(outcome), tuple(one.name for one in judges)
    return JudgeRun(
        comparisons=comparisons(pairs, names, won),
        votes=won,
        judges=names,
        missing=outcome.missing.reshape(-1, 2, len(names)).transpose(0, 2, 1),
        failures=tuple(failures),
        spent=Spent.of(outcome.result),
        summary=summarize(outcome, outcome.votes),
        families={one.name: one.group for one in judges},
        stopped=outcome.result.stopped,
        _result=outcome.result,
        _ids=ids,
    )


def _with_ids(failures: Sequence[Failure], ids: Sequence[str] | None) -> list[Failure]:
    return [one if ids is None else dataclasses.replace(one, item_id=ids[one.item]) for one in failures]

"""Prompts over data, with everything that is known about the run: `run`, and `run_batch` by batches."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.applier import apply
from weaklabel.labeling.failures import Failure
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.sources import DataSource
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.replies import PromptReply, replies
from weaklabel.prompts.runner.batch_options import BatchOptions
from weaklabel.prompts.runner.outcome import Outcome
from weaklabel.prompts.runner.progress import ProgressCallback, PromptProgress, progress_callback
from weaklabel.prompts.runner.state import Stopped
from weaklabel.prompts.runner.summary import PromptSummary, summarize
from weaklabel.votes import Votes


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run took.

    Attributes:
        calls: calls that the endpoints answered, or that were given up.
        cached: calls that the cache answered, or another call of the run.
        input_tokens, output_tokens: of the calls answered by an endpoint.
        money: USD by the table of prices; calls of models without a price are not in it.
        unpriced: calls of models whose price is not known.
        unconfirmed: USD that calls without a reply (timeouts, lost connections) may have cost at most. It counts
            against the budget.
        unconfirmed_tokens: tokens that these calls may have taken at most, likewise.
    """

    calls: int
    cached: int
    input_tokens: float
    output_tokens: float
    money: float
    unpriced: int
    unconfirmed: float
    unconfirmed_tokens: float


@dataclass(frozen=True, kw_only=True)
class PromptRun:
    """The result of a run.

    Attributes:
        votes: Votes [N, M], one column per function, in the order given.
        missing: [N, M] whether a cell was not sent, because the budget or the time was over. It is neither a vote nor
            an abstain: running again sends it.
        failures: every cell of a prompt that is an error, with its reason.
        spent: what the run took.
        summary: one line per prompt; `print(run)` shows them.
        families: the model family of each prompt, by name: prompts of one family err together, and
            `LabelModel.fit(votes, families=run.families)` counts them for less than independent sources.
        stopped: "budget" or "deadline" where one of them ended the run.
    """

    votes: Votes
    missing: NDArray[np.bool_]
    failures: tuple[Failure, ...]
    spent: Spent
    summary: tuple[PromptSummary, ...]
    families: dict[str, str]
    stopped: Stopped | None
    _outcome: Outcome = dataclasses.field(repr=False, compare=False)

    def replies(self) -> Iterator[PromptReply]:
        """What came back to each call: the reply, its probabilities, cost, and why it is no answer."""
        return replies(self._outcome, self.votes)

    def __str__(self) -> str:
        lines = [str(self.votes), *map(str, self.summary)]
        spent = self.spent
        unpriced = f" ({spent.unpriced:,} of unknown price)" if spent.unpriced else ""
        known = f"${spent.money:.4f}" if not spent.unpriced or spent.money else "an unknown price"
        lines.append(f"spent {known} on {spent.calls:,} calls{unpriced}; {spent.cached:,} were cached")
        if self.stopped is not None:
            lines.append(f"stopped by the {self.stopped}: {int(self.missing.sum()):,} cells are missing")
        return "\n".join(lines)


def run(
    functions: Sequence[LabelingFunction | DataSource],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    ask_again: bool | Collection[int] = False,
) -> PromptRun:
    """Run prompts, and Python functions among them, over data: `apply`, with everything else that is known of the run.

    Args:
        functions: M functions with distinct names, one of them a prompt at least.
        data: as of `apply`.
        engine: endpoints, cache, prices, budget, deadline; the environment's where not given.
        n_classes: as of `apply`.
        items: as of `apply`.
        progress: show a bar, or call this about five times a second, also while nothing comes back. An exception that
            it raises ends the run: what was answered is in the cache.
        ask_again: ask again, and pay again, where the cached reply is an error: not an answer, cut off, refused. True
            for all items, or the positions of some, as `[one.item for one in earlier.failures]`. The new reply takes
            the place of the cached one.

    Raises:
        EndpointError: if an endpoint refuses the key or the model, or answers nothing, or the first replies to a
            prompt fail alike.
        InvalidArgumentError: as of `apply`; and for endpoints, fields and prices that are not known.
    """
    again = ask_again if isinstance(ask_again, bool) else frozenset(ask_again)
    recorder = _Recorder(engine or PromptEngine(), progress, None, again)
    return _run(functions, data, recorder, n_classes, items)


async def run_async(
    functions: Sequence[LabelingFunction | DataSource],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = False,
    ask_again: bool | Collection[int] = False,
) -> PromptRun:
    """As `run`, in a thread of its own: the caller's event loop goes on meanwhile. Cancelled, it sends nothing more.

    Args:
        functions: as of `run`.
        data: as of `run`.
        engine: as of `run`.
        n_classes: as of `run`.
        items: as of `run`.
        progress: as of `run`; called in the thread of the run.
        ask_again: as of `run`.

    Raises:
        EndpointError: as of `run`.
        InvalidArgumentError: as of `run`.
    """
    cancelled = threading.Event()
    with progress_callback(progress) as show:

        def report(now: PromptProgress) -> None:
            if cancelled.is_set():
                raise _AbandonedError
            if show is not None:
                show(now)

        work = asyncio.to_thread(
            run, functions, data, engine, n_classes=n_classes, items=items, progress=report, ask_again=ask_again
        )
        try:
            return await work
        except asyncio.CancelledError:
            cancelled.set()
            raise


def run_batch(
    functions: Sequence[LabelingFunction | DataSource],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    wait: bool = True,
    poll: float = 30.0,
    ask_again: bool | Collection[int] = False,
) -> PromptRun:
    """As `run`, by the endpoint's Batch API: at a part of the price, within a day. May be stopped and called again.

    What is under way is noted in the cache. Called again, also after a crash, it finds the batches that were sent, and
    sends nothing twice. Requests that a batch could not answer are errors; they are sent anew at the next call.

    A batch is sent whole, without awaiting the first replies. Where the cached ones to a prompt fail alike nothing is
    sent, and where those of a batch do, the others are cancelled: `run` on some 20 items first tells whether replies
    can be read, and pays nothing twice.

    Args:
        functions: as of `run`.
        data: as of `run`.
        engine: as of `run`.
        n_classes: as of `run`.
        items: as of `run`.
        progress: as of `run`.
        wait: wait until the batches end; without it, what is not there yet is missing.
        poll: seconds between looks at the batches.
        ask_again: as of `run`. What is under way already is not sent again.

    Raises:
        EndpointError, InvalidArgumentError: as of `run`; and where the engine has no cache, or a batch is refused.
    """
    again = ask_again if isinstance(ask_again, bool) else frozenset(ask_again)
    recorder = _Recorder(engine or PromptEngine(), progress, BatchOptions(poll, wait), again)
    return _run(functions, data, recorder, n_classes, items)


def _run(
    functions: Sequence[LabelingFunction | DataSource],
    data: Any,
    recorder: _Recorder,
    n_classes: int | None,
    items: Iterable[Hashable] | None,
) -> PromptRun:
    votes = apply(
        functions, data, n_classes=n_classes, items=items, progress=recorder.progress is True, engine=recorder
    )
    outcome = recorder.outcome
    result, column_of = outcome.result, {name: at for at, name in enumerate(votes.source_names)}
    columns = [column_of[name] for name in outcome.votes.source_names]
    missing = np.zeros(votes.shape, bool)
    missing[:, columns] = outcome.missing
    spent = Spent(
        calls=sum(one.calls for one in result.tallies),
        cached=sum(one.cached for one in result.tallies),
        input_tokens=sum(one.input_tokens for one in result.tallies),
        output_tokens=sum(one.output_tokens for one in result.tallies),
        money=result.spent.money,
        unpriced=sum(tally.calls for tally in result.tallies if not tally.priced),
        unconfirmed=result.unconfirmed.money,
        unconfirmed_tokens=result.unconfirmed.tokens,
    )
    return PromptRun(
        votes=votes,
        missing=missing,
        failures=tuple(_with_ids(outcome.failures, votes)),
        spent=spent,
        summary=summarize(outcome, votes),
        families={name: one.group for one in functions if isinstance(one, PromptFunction) for name in one.source_names},
        stopped=result.stopped,
        _outcome=outcome,
    )


class _AbandonedError(Exception):
    """Ends a run that nobody waits for any more."""


class _Recorder:
    """An engine that keeps what `apply` does not hand out."""

    def __init__(
        self,
        engine: PromptEngine,
        progress: bool | ProgressCallback,
        batches: BatchOptions | None,
        ask_again: bool | Collection[int],
    ) -> None:
        self._engine, self.progress, self._batches, self._again = engine, progress, batches, ask_again
        self._outcome: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        if self._outcome is None:
            raise InvalidArgumentError("there is no prompt among the functions: use apply", field="functions")
        return self._outcome

    def answer(
        self, sources: Sequence[Any], items: Sequence[Any], *, n_classes: int, progress: bool
    ) -> tuple[Votes, list[Failure]]:
        del progress  # the run's own, which may be more than a bar
        self._outcome = self._engine.ask(
            sources,
            items,
            n_classes=n_classes,
            progress=self.progress,
            batches=self._batches,
            ask_again=self._again,
        )
        return self._outcome.votes, self._outcome.failures


def _with_ids(failures: Sequence[Failure], votes: Votes) -> list[Failure]:
    ids = votes.item_ids
    return [one if ids is None else dataclasses.replace(one, item_id=str(ids[one.item])) for one in failures]

"""Prompts over data, with everything that is known about the run: `run`, and `run_batch` by batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, overload

from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.sources import DataSource
from weaklabel.prompts.declaration.judge_prompt import JudgePrompt
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.engine import PromptEngine
from weaklabel.prompts.results import JudgeRun, PromptRun, SpanRun
from weaklabel.prompts.runner.batch_options import BatchOptions
from weaklabel.prompts.runner.progress import ProgressCallback, PromptProgress, progress_callback
from weaklabel.prompts.running import Asking, run_functions

Functions = Sequence[LabelingFunction | DataSource]


@overload
def run(
    functions: Sequence[SpanPrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    ask_again: bool | Collection[int] = False,
) -> SpanRun: ...
@overload
def run(
    functions: Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    ask_again: bool | Collection[int] = False,
) -> JudgeRun: ...
@overload
def run(
    functions: Functions,
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    ask_again: bool | Collection[int] = False,
) -> PromptRun: ...
def run(
    functions: Functions | Sequence[SpanPrompt] | Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    ask_again: bool | Collection[int] = False,
) -> PromptRun | SpanRun | JudgeRun:
    """Run prompts, and Python functions among them, over data: `apply`, with everything else that is known of the run.

    Args:
        functions: M functions with distinct names, one of them a prompt at least. Or prompts that find spans
            (`SpanPrompt`), or judges (`JudgePrompt`), all of one kind: what comes is then a SpanRun or a JudgeRun.
        data: as of `apply`. For judges, pairs: rows, mappings or records with left and right, names of two items;
            left_text and right_text, what is shown of them, where that is not the names; and further fields of the
            template.
        engine: endpoints, cache, prices, budget, deadline; the environment's where not given.
        n_classes: as of `apply`; of functions that vote only.
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
    asking = Asking(engine or PromptEngine(), progress, None, ask_again)
    return run_functions(functions, data, asking, n_classes, items)


@overload
async def run_async(
    functions: Sequence[SpanPrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = False,
    ask_again: bool | Collection[int] = False,
) -> SpanRun: ...
@overload
async def run_async(
    functions: Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = False,
    ask_again: bool | Collection[int] = False,
) -> JudgeRun: ...
@overload
async def run_async(
    functions: Functions,
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = False,
    ask_again: bool | Collection[int] = False,
) -> PromptRun: ...
async def run_async(
    functions: Functions | Sequence[SpanPrompt] | Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = False,
    ask_again: bool | Collection[int] = False,
) -> PromptRun | SpanRun | JudgeRun:
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

        asking = Asking(engine or PromptEngine(), report, None, ask_again)
        work = asyncio.to_thread(run_functions, functions, data, asking, n_classes, items)
        try:
            return await work
        except asyncio.CancelledError:
            cancelled.set()
            raise


@overload
def run_batch(
    functions: Sequence[SpanPrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    wait: bool = True,
    poll: float = 30.0,
    ask_again: bool | Collection[int] = False,
) -> SpanRun: ...
@overload
def run_batch(
    functions: Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    wait: bool = True,
    poll: float = 30.0,
    ask_again: bool | Collection[int] = False,
) -> JudgeRun: ...
@overload
def run_batch(
    functions: Functions,
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    wait: bool = True,
    poll: float = 30.0,
    ask_again: bool | Collection[int] = False,
) -> PromptRun: ...
def run_batch(
    functions: Functions | Sequence[SpanPrompt] | Sequence[JudgePrompt],
    data: Any,
    engine: PromptEngine | None = None,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool | ProgressCallback = True,
    wait: bool = True,
    poll: float = 30.0,
    ask_again: bool | Collection[int] = False,
) -> PromptRun | SpanRun | JudgeRun:
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
    asking = Asking(engine or PromptEngine(), progress, BatchOptions(poll, wait), ask_again)
    return run_functions(functions, data, asking, n_classes, items)


class _AbandonedError(Exception):
    """Ends a run that nobody waits for any more."""

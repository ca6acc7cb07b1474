"""The progress of a run of prompts: a record, and a bar that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm.auto import tqdm

TICK = 0.2
"""Seconds between two reports of the progress, and between looks at the clock."""


@dataclass(frozen=True, kw_only=True)
class PromptProgress:
    """How far a run is. A call is one sample of one prompt on one item.

    Attributes:
        total: calls that the run needs.
        done: calls that are answered or given up.
        cached: those of them that the cache answered, or another call of the run.
        errors: those of them without an answer.
        missing: calls that the budget did not hold.
        money: USD spent so far; replies that are not on disk yet count here, and not among `done`.
        tokens: tokens spent so far.
        seconds: since the run started.
        rate: calls done per second.
    """

    total: int
    done: int
    cached: int
    errors: int
    missing: int
    money: float
    tokens: float
    seconds: float
    rate: float


ProgressCallback = Callable[[PromptProgress], object]


@contextmanager
def progress_callback(progress: bool | ProgressCallback) -> Iterator[ProgressCallback | None]:
    """What a run calls with its progress: the caller's own function, a bar on stderr for True, nothing for False."""
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield None
        return
    with tqdm(unit=" calls") as bar:

        def show(now: PromptProgress) -> None:
            bar.total = now.total
            # Without money there is no price, or nothing is spent yet.
            spent = f"${now.money:.4f}" if now.money else f"{now.tokens:,.0f} tokens"
            bar.set_postfix(cached=now.cached, errors=now.errors, spent=spent, refresh=False)
            bar.update(now.done - bar.n)

        yield show

"""A progress bar of a run of prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from weaklabel.prompts.runner.state import PromptProgress


@contextmanager
def told(progress: bool | Callable[[PromptProgress], object]) -> Iterator[Callable[[PromptProgress], object] | None]:
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
            bar.set_postfix(cached=now.cached, errors=now.errors, spent=f"${now.money:.4f}", refresh=False)
            bar.update(now.done - bar.n)

        yield show

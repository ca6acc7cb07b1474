"""Progress on stderr: a bar of rich on a terminal where rich is installed, else one line that is drawn over and over.

Where it is not a terminal, one line at the end.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO, TypeVar

_WIDTH = 30
_SECONDS_BETWEEN_DRAWINGS = 0.1


class Progress(Protocol):
    """What can be drawn: a share of the work, and its text."""

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None where it is not known."""
        ...


Reported = TypeVar("Reported", bound=Progress)


@contextmanager
def shown(progress: bool | Callable[[Reported], None], what: str) -> Iterator[Callable[[Reported], None]]:
    """Gives the function to report to: the user's own, a bar on stderr for True, or none for False."""
    if callable(progress):
        yield progress
    elif progress:
        bar = _rich_bar(what, sys.stderr) or _Bar(what, sys.stderr)
        try:
            yield bar.report
        finally:
            bar.close()
    else:
        yield lambda _: None


def _rich_bar(what: str, stream: TextIO) -> "_RichBar | None":
    """A bar of rich; None where there is no terminal, or no rich."""
    if not stream.isatty():
        return None
    try:
        return _RichBar(what, stream)
    except ModuleNotFoundError:
        return None


class _RichBar:
    def __init__(self, what: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        plain = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=_WIDTH))
        state = TextColumn("{task.fields[state]}", markup=False)
        self._bar = Bars(*plain, state, TimeElapsedColumn(), console=Console(file=stream))
        self._task = self._bar.add_task(what, total=None, state="")
        self._bar.start()

    def report(self, progress: Progress) -> None:
        known = progress.fraction is not None
        self._bar.update(
            self._task, total=1.0 if known else None, completed=progress.fraction or 0.0, state=str(progress)
        )

    def close(self) -> None:
        self._bar.stop()


class _Bar:
    def __init__(self, what: str, stream: TextIO) -> None:
        self._what = what
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._last: Progress | None = None
        self._drawn = 0.0

    def report(self, progress: Progress) -> None:
        self._last = progress
        now = time.monotonic()
        if self._is_terminal and now - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            self._stream.write(f"\r{self._line(progress)}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        if self._last is not None:
            start, end = ("\r", "\x1b[K\n") if self._is_terminal else ("", "\n")
            self._stream.write(f"{start}{self._line(self._last)}{end}")
            self._stream.flush()

    def _line(self, progress: Progress) -> str:
        if progress.fraction is None:
            return f"{self._what}: {progress}"
        filled = round(_WIDTH * progress.fraction)
        return f"{self._what} [{'#' * filled}{'-' * (_WIDTH - filled)}] {progress.fraction:4.0%} {progress}"

"""What commands have in common: errors in one line with an exit code, and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from weaklabel.model.em.estimate import FitProgress

FAILED = 1
"""Exit code where the data or the machine is at fault; 2, which typer gives, is for the command line itself."""
EVERY_SECONDS = 1.0


def note(message: str) -> None:
    """A line on stderr, in the place of a line of progress."""
    typer.echo(f"\r\x1b[K{message}" if sys.stderr.isatty() else message, err=True)


@contextmanager
def command(name: str) -> Iterator[None]:
    """Errors as a line on stderr and an exit code; warnings as lines, too."""
    from weaklabel.errors import WeaklabelError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_args, **_names: note(f"weaklabel {name}: {message}")
            yield
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of stdout, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (WeaklabelError, OSError) as error:
        told = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        note(f"weaklabel {name}: {' '.join(told.split())}")
        raise typer.Exit(FAILED) from None


def check_folder(path: Path | None) -> None:
    """Refuses a file whose folder is not there, before the work of making it is done.

    Raises:
        InvalidArgumentError: if there is none.
    """
    from weaklabel.errors import InvalidArgumentError

    if path is not None and str(path) != "-" and not path.parent.is_dir():
        raise InvalidArgumentError(f"{path} cannot be written: there is no folder {path.parent}", field="output")


class Steps:
    """Progress on stderr: from the second second on, one line that is overwritten; not on a terminal, a line a step."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._open = False

    def __call__(self, message: str) -> None:
        """Shows a step, unless one was shown just now."""
        now = time.monotonic()
        if now - self._last < EVERY_SECONDS:
            return
        self._last = now
        self._open = sys.stderr.isatty()
        typer.echo(f"\r\x1b[K{message}" if self._open else message, err=True, nl=not self._open)

    def fit(self, state: FitProgress) -> None:
        """Shows how far a fit is."""
        self(f"fit: iteration {state.iteration} of at most {state.max_iter}, change {state.change:.1e}")

    def close(self) -> None:
        """Ends the line."""
        if self._open:
            typer.echo("\r\x1b[K", err=True, nl=False)


def show_json(values: dict[str, Any]) -> None:
    """One JSON object on stdout; null for what is NaN, which JSON lacks."""
    typer.echo(json.dumps(_plain(values), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and value != value else value

"""What commands have in common: errors in one line with an exit code, and notes on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from weaklabel.model import FitProgress

FAILED = 1
"""Exit code where data, a server or the machine is at fault, and for findings on which a command was told to fail."""
WRONG_USE = 2
"""Exit code where the command line is at fault; typer gives it, too."""
EVERY_SECONDS = 1.0


def note(message: str) -> None:
    """A line on stderr, in the place of a line of progress."""
    typer.echo(f"\r\x1b[K{message}" if sys.stderr.isatty() else message, err=True)


@contextmanager
def command(name: str) -> Iterator[None]:
    """Errors as a line on stderr and an exit code; warnings as lines, too."""
    from weaklabel.errors import InvalidArgumentError, InvalidVotesError, WeaklabelError

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
        wrong_use = isinstance(error, InvalidArgumentError) and not isinstance(error, InvalidVotesError)
        raise typer.Exit(WRONG_USE if wrong_use else FAILED) from None


def check_folder(path: Path | None) -> None:
    """Refuses a file whose folder is not there, before the work of making it is done.

    Raises:
        InvalidArgumentError: if there is none.
    """
    from weaklabel.errors import InvalidArgumentError

    if path is not None and str(path) != "-" and not path.parent.is_dir():
        raise InvalidArgumentError(f"{path} cannot be written: there is no folder {path.parent}", field="output")


def check_table(path: Path | None, to: str | None = None, *, archive: bool = False) -> None:
    """Refuses a table that could not be written where and how it is asked for, before the work of making it is done.

    Args:
        path: of the file; None for none.
        to: its format, where it is told.
        archive: whether npz is as good.

    Raises:
        InvalidArgumentError: for a folder that is not there, and another format.
    """
    from weaklabel.formats.tables import format_of
    from weaklabel.formats.writing import format_to_write

    check_folder(path)
    if path is not None and not (archive and (to or format_of(path)) == "npz"):
        format_to_write(path, to)


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


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows of cells as lines of text: so many columns to the left, and the last one where one is; the others to the
    right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at < left or (at == last and left == 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


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

"""Tables as text or markdown, and the figures as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from label_quality.scoring import METRICS, Scores


class Row(NamedTuple):
    """Scores of one model on one set."""

    group: str
    name: str
    family: str
    model: str
    scores: Scores
    n_gold: int = 0
    draw: int = 0


class Printer:
    """Prints tables, aligned or as markdown."""

    def __init__(self, *, markdown: bool) -> None:
        self._markdown = markdown

    def line(self, text: str = "") -> None:
        """A line of text, a paragraph of its own in markdown."""
        print(text + "\n" if self._markdown and text else text, flush=True)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; the first column is text, the others are figures."""
        if self._markdown:
            print(f"### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
            for row in rows:
                print(f"| {' | '.join(row)} |")
        else:
            widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
            print(title)
            for row in (header, *rows):
                cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
                print("  ".join([row[0].ljust(widths[0]), *cells]))
        print(flush=True)


FORMATS = {"score": (100, 1), "nll": (1, 3), "brier": (1, 3), "ece": (1, 3)}
"""Factor and decimals of each metric."""


def cells(scores: Scores) -> list[str]:
    """A cell a metric."""
    return [f"{FORMATS[m][0] * value:.{FORMATS[m][1]}f}" for m, value in zip(METRICS, scores, strict=True)]


def interval_cells(mean: Scores, low: ArrayLike, high: ArrayLike) -> list[str]:
    """A cell a metric: mean difference, and its interval where there is one."""
    found = []
    for m, value, a, b in zip(METRICS, mean, np.asarray(low), np.asarray(high), strict=True):
        factor, decimals = FORMATS[m]
        text = f"{factor * value:+.{decimals}f}"
        found.append(text if np.isnan(a) else f"{text} [{factor * a:+.{decimals}f}, {factor * b:+.{decimals}f}]")
    return found


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """One line a row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["group", "set", "family", "model", "n_gold", "draw", *METRICS])
        for row in rows:
            writer.writerow([row.group, row.name, row.family, row.model, row.n_gold, row.draw, *row.scores])

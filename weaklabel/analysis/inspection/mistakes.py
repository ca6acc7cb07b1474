"""Where a source is wrong: on which classes, and on which slices of the items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis.inspection.truth import Model, Truth, interval_of, read_truth
from weaklabel.analysis.slices import read_slices
from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

TRUTH, VOTE, ALL = "(true class)", "(vote)", "(all)"


@dataclass(frozen=True, eq=False)
class Mistakes:
    """How often a source is wrong on slices of its votes: those with most errors beyond its mean first."""

    source: str
    by: Literal["gold", "soft labels"]
    columns: tuple[str, ...]
    """What each slice is of: "(all)" for the first, "(true class)", "(vote)", or a column."""
    values: tuple[str, ...]
    n_votes: NDArray[np.float64]
    """Of the source in the slice; expected ones where it is of a true class by soft labels."""
    wrong: NDArray[np.float64]
    """How many of them are wrong; expected ones by soft labels."""
    rate: NDArray[np.float64]
    low: NDArray[np.float64]
    """Of the 90 % interval of the rate. Of many slices some look bad by chance: see whether it is above the mean."""
    high: NDArray[np.float64]

    def to_pandas(self) -> pd.DataFrame:
        """A line a slice: column, value, votes, wrong, rate, low, high.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        columns: dict[str, Any] = {"column": list(self.columns), "value": list(self.values), "votes": self.n_votes}
        columns |= {"wrong": self.wrong, "rate": self.rate, "low": self.low, "high": self.high}
        frame: pd.DataFrame = pandas().DataFrame(columns)
        return frame


class _Line(NamedTuple):
    column: str
    value: str
    n_votes: float
    wrong: float


def where_wrong(
    votes: Votes,
    source: str,
    truth: Model | ArrayLike,
    *,
    by: Any = None,
    classes: Sequence[str] | None = None,
) -> Mistakes:
    """Where a source is wrong: on items of which class, where it votes for which, and in which slices.

    By gold, errors are seen. By soft labels they are expected, 1 - p of what the source says: its own vote is among
    those that the soft labels are made of, so what it says alone is doubted by the class balance only.

    Args:
        votes: N items, M sources, K classes; plain votes only.
        source: name of the source.
        truth: a fitted model, soft labels [N, K] or gold [N].
        by: [N] groups, or a frame with N rows; matched by ids where both sides have them. Numbers of many different
            values are cut into quarters of the items.
        classes: K names; those of the model or the votes where not given.

    Raises:
        InvalidVotesError: for candidate sets and soft votes, and for an unknown source.
        InvalidArgumentError: for labels or slices that do not fit the votes, and a source without votes on items with
            a label.
    """
    known = read_truth(votes, truth, classes)
    items, _, labels = votes.select_sources([source]).triples()
    kept = known.known[items]
    items, labels = items[kept], labels[kept]
    if not len(items):
        raise InvalidArgumentError(f"source {source!r} has no vote on an item with a label", field="source")
    wrong = 1 - known.soft[items, labels].astype(np.float64)
    mean = float(wrong.mean())
    lines = [*_of_classes(known, items, labels, wrong)]
    if by is not None:
        at = np.full(votes.n_items, -1, np.int64)
        at[items] = np.arange(len(items))
        for one in read_slices(by, votes.n_items, votes.item_ids):
            cells = at[one.items]
            cells = cells[cells >= 0]
            lines.append(_Line(one.column, one.value, float(len(cells)), float(wrong[cells].sum())))
    lines = [line for line in lines if line.n_votes > 0]
    lines.sort(key=lambda line: -(line.wrong - mean * line.n_votes))
    lines.insert(0, _Line(ALL, "", float(len(items)), float(wrong.sum())))
    n_votes, errors = np.array([line.n_votes for line in lines]), np.array([line.wrong for line in lines])
    rate = errors / n_votes
    low, high = interval_of(rate, n_votes)
    return Mistakes(
        source=source,
        by=known.by,
        columns=tuple(line.column for line in lines),
        values=tuple(line.value for line in lines),
        n_votes=n_votes,
        wrong=errors,
        rate=rate,
        low=low,
        high=high,
    )


def _of_classes(
    known: Truth, items: NDArray[np.int32], labels: NDArray[np.int32], wrong: NDArray[np.float64]
) -> list[_Line]:
    lines: list[_Line] = []
    for k, name in enumerate(known.classes):
        p, says = known.soft[items, k].astype(np.float64), labels == k
        lines.append(_Line(TRUTH, name, float(p.sum()), float(p[~says].sum())))
        lines.append(_Line(VOTE, name, float(says.sum()), float(wrong[says].sum())))
    return lines

"""The source summary: a line a source, on what it votes, with whom, and how well."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.votes import ABSTAIN, Votes, as_gold

if TYPE_CHECKING:
    import pandas as pd


class FittedModel(Protocol):
    """What the summary asks of a model: LabelModel after fit."""

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""

    @property
    def source_accuracy(self) -> NDArray[np.floating[Any]]:
        """[M] probability that a vote of the source is right."""


@dataclass(frozen=True, eq=False)
class SourceSummary:
    """A line a source. Shares are of all N items, as is the custom of the field.

    Shown as a table by `print` and in notebooks; `to_pandas` makes a DataFrame of it.

    Attributes:
        sources: M names.
        polarity: for each source, the classes that it votes for.
        coverage: [M] share of items on which it votes.
        overlaps: [M] share of items on which it and another source vote.
        conflicts: [M] share of items on which it votes and another source votes for another class.
        errors: [M] number of items on which it failed.
        correct: [M] number of its votes that agree with gold; None without gold. Items of unknown gold do not count.
        incorrect: [M] number of its votes that disagree with gold; None without gold.
        empirical_accuracy: [M] correct / (correct + incorrect), NaN where both are 0; None without gold.
        learned_accuracy: [M] accuracy by the model's account; None without a model.
    """

    sources: tuple[str, ...]
    polarity: tuple[tuple[int, ...], ...]
    coverage: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    conflicts: NDArray[np.float64]
    errors: NDArray[np.int64]
    correct: NDArray[np.int64] | None = None
    incorrect: NDArray[np.int64] | None = None
    empirical_accuracy: NDArray[np.float64] | None = None
    learned_accuracy: NDArray[np.float64] | None = None

    def _columns(self) -> dict[str, list[Any]]:
        columns: dict[str, NDArray[Any] | None] = {
            "Coverage": self.coverage,
            "Overlaps": self.overlaps,
            "Conflicts": self.conflicts,
            "Errors": self.errors,
            "Correct": self.correct,
            "Incorrect": self.incorrect,
            "Emp. Acc.": self.empirical_accuracy,
            "Learned Acc.": self.learned_accuracy,
        }
        polarity = [list(classes) for classes in self.polarity]
        table: dict[str, list[Any]] = {"j": list(range(len(self.sources))), "Polarity": polarity}
        return table | {title: values.tolist() for title, values in columns.items() if values is not None}

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """The titles, and the lines, as text."""
        columns = self._columns()
        lines = [
            [name, *(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in line)]
            for name, line in zip(self.sources, zip(*columns.values(), strict=True), strict=True)
        ]
        return ["", *columns], lines

    def __str__(self) -> str:
        titles, lines = self._cells()
        table = [titles, *lines]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in table
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        titles, lines = self._cells()
        head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
        body = "".join(
            f"<tr><th>{html.escape(line[0])}</th>" + "".join(f"<td>{cell}</td>" for cell in line[1:]) + "</tr>"
            for line in lines
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, indexed by source; pandas must be installed."""
        import pandas as pd

        return pd.DataFrame(self._columns(), index=list(self.sources))


def source_summary(votes: Votes, gold: ArrayLike | None = None, model: FittedModel | None = None) -> SourceSummary:
    """How each source votes, and how often it is right.

    Args:
        votes: N items, M sources, K classes.
        gold: [N] true classes 0..K-1, -1 where unknown.
        model: a fitted model that knows these sources by name, for the accuracies it has learned.

    Raises:
        InvalidArgumentError: for gold of another length, or that holds anything but classes and -1; for a model
            that does not know a source.
        NotFittedError: for a model that is not fitted.
    """
    items, sources, labels = votes.triples()
    shared, split = _shared_and_split(votes, items, labels)
    n_items = max(votes.n_items, 1)

    pairs = np.unique(sources.astype(np.int64) * votes.n_classes + labels)
    polarity: list[list[int]] = [[] for _ in range(votes.n_sources)]
    for source, label in zip(*divmod(pairs, votes.n_classes), strict=True):
        polarity[source].append(int(label))

    correct = incorrect = empirical = learned = None
    if gold is not None:
        truth = as_gold(gold, votes)[items]
        correct = _count(sources[labels == truth], votes)
        incorrect = _count(sources[(labels != truth) & (truth != ABSTAIN)], votes)
        judged = correct + incorrect
        empirical = np.divide(correct, judged, out=np.full(votes.n_sources, np.nan), where=judged > 0)
    if model is not None:
        learned = _learned(model, votes)
    return SourceSummary(
        sources=votes.source_names,
        polarity=tuple(map(tuple, polarity)),
        coverage=votes.coverage,
        overlaps=_count(sources[shared[items]], votes) / n_items,
        conflicts=_count(sources[split[items]], votes) / n_items,
        errors=votes.errors,
        correct=correct,
        incorrect=incorrect,
        empirical_accuracy=empirical,
        learned_accuracy=learned,
    )


def coverage(votes: Votes) -> float:
    """Share of the items that have a vote; 0 without items."""
    items, _, _ = votes.triples()
    return float(np.count_nonzero(np.bincount(items, minlength=votes.n_items))) / max(votes.n_items, 1)


def overlap(votes: Votes) -> float:
    """Share of the items that have votes of two sources or more; 0 without items."""
    items, _, labels = votes.triples()
    return float(np.count_nonzero(_shared_and_split(votes, items, labels)[0])) / max(votes.n_items, 1)


def conflict(votes: Votes) -> float:
    """Share of the items that have votes for two classes or more; 0 without items."""
    items, _, labels = votes.triples()
    return float(np.count_nonzero(_shared_and_split(votes, items, labels)[1])) / max(votes.n_items, 1)


def _shared_and_split(
    votes: Votes, items: NDArray[np.int32], labels: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """[N] whether an item has two votes or more, and [N] whether they are for two classes or more.

    Where they are, every source that votes on the item has another that disagrees with it.
    """
    n_votes = np.bincount(items, minlength=votes.n_items)
    split = np.zeros(votes.n_items, bool)
    same = items[1:] == items[:-1]  # triples are sorted by item, so unequal neighbours tell
    split[items[1:][same & (labels[1:] != labels[:-1])]] = True
    return n_votes > 1, split


def _count(sources: NDArray[np.int32], votes: Votes) -> NDArray[np.int64]:
    return np.bincount(sources, minlength=votes.n_sources).astype(np.int64)


def _learned(model: FittedModel, votes: Votes) -> NDArray[np.float64]:
    if not hasattr(model, "source_accuracy"):
        raise NotFittedError("the model has learned no accuracies; fit it first")
    accuracy = dict(zip(model.source_names, model.source_accuracy.tolist(), strict=True))
    unknown = [name for name in votes.source_names if name not in accuracy]
    if unknown:
        raise InvalidArgumentError(f"the model was not fitted on source {unknown[0]!r}", field="model")
    return np.array([accuracy[name] for name in votes.source_names], np.float64)

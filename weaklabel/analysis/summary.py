"""The source summary: one line per source, on what it votes, with whom, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._html import table
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.side_information.gold import as_gold
from weaklabel.votes import ABSTAIN, Votes, check_votes
from weaklabel.votes.frames import pandas
from weaklabel.votes.symbols import CandidateSet

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
    """One line per source. Shares are of all N items, as is the custom of the field.

    A vote for a candidate set speaks for each of its classes, a soft vote for its most probable one. Votes conflict
    where there is no class that both speak for, and are correct where they speak for the true class.

    Shown as a table by `print` and in notebooks; `to_pandas` makes a DataFrame of it.

    Attributes:
        sources: M names.
        polarity: for each source, the classes that it votes for, then the candidate sets.
        coverage: [M] share of items on which it votes.
        overlaps: [M] share of items on which it and another source vote.
        conflicts: [M] share of items on which its vote conflicts with another's.
        errors: [M] number of items on which it failed.
        correct: [M] number of its votes that agree with gold; None without gold. Items of unknown gold do not count.
        incorrect: [M] number of its votes that disagree with gold; None without gold.
        empirical_accuracy: [M] correct / (correct + incorrect), NaN where both are 0; None without gold.
        learned_accuracy: [M] accuracy by the model's account; None without a model.
    """

    sources: tuple[str, ...]
    polarity: tuple[tuple[int | CandidateSet, ...], ...]
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
        first: dict[str, list[Any]] = {"j": list(range(len(self.sources))), "Polarity": polarity}
        return first | {title: values.tolist() for title, values in columns.items() if values is not None}

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
        rows = [titles, *lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in rows
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        titles, lines = self._cells()
        return table("Sources", titles, lines)

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, indexed by source.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        frame: pd.DataFrame = pandas().DataFrame(self._columns(), index=list(self.sources))
        return frame


def source_summary(votes: Votes, gold: ArrayLike | None = None, model: FittedModel | None = None) -> SourceSummary:
    """How each source votes, and how often it is right.

    Args:
        votes: N items, M sources, K classes.
        gold: [N] true classes 0..K-1, -1 or missing where unknown; with a model, names of its classes too.
        model: a fitted model that knows these sources by name, for the accuracies it has learned.

    Raises:
        InvalidArgumentError: for gold of another length, or that holds anything but classes and -1; for a model
            that does not know a source.
        NotFittedError: for a model that is not fitted.
    """
    items, sources, labels = check_votes(votes).triples()
    n_items = max(votes.n_items, 1)

    correct = incorrect = empirical = learned = None
    if gold is not None:
        truth = as_gold(gold, votes, getattr(model, "classes", None))[items]
        right = labels == truth if votes.is_plain else votes.symbols.supports()[labels, truth]
        known = truth != ABSTAIN
        correct = _count(sources[right & known], votes)
        incorrect = _count(sources[~right & known], votes)
        judged = correct + incorrect
        empirical = np.divide(correct, judged, out=np.full(votes.n_sources, np.nan), where=judged > 0)
    if model is not None:
        learned = _learned(model, votes)
    return SourceSummary(
        sources=votes.source_names,
        polarity=_polarity(votes, sources, labels),
        coverage=votes.coverage,
        overlaps=_count(sources[_shared(votes, items)[items]], votes) / n_items,
        conflicts=_count(sources[_conflicting(votes, items, labels)], votes) / n_items,
        errors=votes.errors,
        correct=correct,
        incorrect=incorrect,
        empirical_accuracy=empirical,
        learned_accuracy=learned,
    )


def coverage(votes: Votes) -> float:
    """Share of the items that have a vote; 0 without items."""
    items, _, _ = check_votes(votes).triples()
    return float(np.count_nonzero(np.bincount(items, minlength=votes.n_items))) / max(votes.n_items, 1)


def overlap(votes: Votes) -> float:
    """Share of the items that have votes of two sources or more; 0 without items."""
    items, _, _ = check_votes(votes).triples()
    return float(np.count_nonzero(_shared(votes, items))) / max(votes.n_items, 1)


def conflict(votes: Votes) -> float:
    """Share of the items that have votes which conflict; 0 without items."""
    items, _, labels = check_votes(votes).triples()
    return len(np.unique(items[_conflicting(votes, items, labels)])) / max(votes.n_items, 1)


def _shared(votes: Votes, items: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[N] whether an item has two votes or more."""
    return np.bincount(items, minlength=votes.n_items) > 1


def _conflicting(votes: Votes, items: NDArray[np.int32], labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[V] whether a vote conflicts with another on the same item."""
    if votes.is_plain:
        split = np.zeros(votes.n_items, bool)  # then every vote on the item has another that differs
        same = items[1:] == items[:-1]  # triples are sorted by item, so unequal neighbours tell
        split[items[1:][same & (labels[1:] != labels[:-1])]] = True
        return split[items]
    supports = np.packbits(votes.symbols.supports(), axis=1)
    conflicting = np.zeros(len(items), bool)
    for step in range(1, len(items)):
        one = np.flatnonzero(items[step:] == items[:-step])
        if not len(one):  # no item has so many votes
            break
        other = one + step
        apart = ~(supports[labels[one]] & supports[labels[other]]).any(1)
        conflicting[one[apart]] = conflicting[other[apart]] = True
    return conflicting


def _polarity(
    votes: Votes, sources: NDArray[np.int32], labels: NDArray[np.int32]
) -> tuple[tuple[int | CandidateSet, ...], ...]:
    """For each source the classes that it votes for, then the candidate sets."""
    n_codes, first_soft = votes.n_classes + len(votes.symbols), votes.n_classes + len(votes.symbols.sets)
    at, codes = np.divmod(np.unique(sources.astype(np.int64) * n_codes + labels), n_codes)
    plain, soft = codes < votes.n_classes, codes >= first_soft
    chosen = np.zeros((votes.n_sources, votes.n_classes), bool)
    chosen[at[plain], codes[plain]] = True
    if soft.any():
        rows, classes = np.nonzero(votes.symbols.supports()[codes[soft]])
        chosen[at[soft][rows], classes] = True
    polarity: list[list[int | CandidateSet]] = [list(np.flatnonzero(row).tolist()) for row in chosen]
    for source, code in zip(at[~plain & ~soft].tolist(), codes[~plain & ~soft].tolist(), strict=True):
        polarity[source].append(votes.symbols.candidates(code))
    return tuple(map(tuple, polarity))


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

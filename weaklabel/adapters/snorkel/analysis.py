"""`LFAnalysis` by the names of Snorkel, on a matrix of votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.adapters.snorkel.scoring import label_array
from weaklabel.analysis import conflict, coverage, overlap, source_summary
from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class LFAnalysis:
    """How labeling functions vote, with whom, and how well.

    Args:
        L: [N, M] class indices, -1 for an abstain.
        lfs: the functions, for their names.

    Raises:
        InvalidArgumentError: if there are more or fewer functions than columns.
        InvalidVotesError: for votes that cannot be read.
    """

    def __init__(self, L: ArrayLike, lfs: Sequence[Any] | None = None) -> None:
        self.L = np.asarray(L)
        if lfs is not None and len(lfs) != self.L.shape[-1]:
            raise InvalidArgumentError(f"{len(lfs)} functions are given for {self.L.shape[-1]} columns", field="lfs")
        self._names: list[Any] = list(range(self.L.shape[-1])) if lfs is None else [one.name for one in lfs]
        self._named = lfs is not None
        n_classes = max(2, int(self.L.max(initial=1)) + 1)
        self._votes = Votes.from_dense(self.L, n_classes, sources=list(map(str, self._names)))
        self._summary = source_summary(self._votes)

    def label_coverage(self) -> float:
        """Share of the items that have a vote."""
        return coverage(self._votes)

    def label_overlap(self) -> float:
        """Share of the items that have two votes or more."""
        return overlap(self._votes)

    def label_conflict(self) -> float:
        """Share of the items whose votes differ."""
        return conflict(self._votes)

    def lf_polarities(self) -> list[list[int]]:
        """The classes that each function votes for."""
        return [[int(k) for k in classes if isinstance(k, int)] for classes in self._summary.polarity]

    def lf_coverages(self) -> NDArray[np.float64]:
        """[M] share of the items on which each function votes."""
        return np.asarray(self._summary.coverage)

    def lf_overlaps(self, normalize_by_coverage: bool = False) -> NDArray[np.float64]:
        """[M] share of the items on which it and another function vote; of the items on which it votes if asked for."""
        return _share(self._summary.overlaps, self._summary.coverage if normalize_by_coverage else None)

    def lf_conflicts(self, normalize_by_overlaps: bool = False) -> NDArray[np.float64]:
        """[M] share of the items on which its vote differs from another's; of its overlaps if asked for."""
        return _share(self._summary.conflicts, self._summary.overlaps if normalize_by_overlaps else None)

    def lf_empirical_accuracies(self, Y: ArrayLike) -> NDArray[np.float64]:
        """[M] share of the votes of each function that are right; 0 without any.

        Items whose label is -1 are left out, where Snorkel counts their votes as wrong.

        Args:
            Y: [N] true classes.
        """
        found = self._judged(Y).empirical_accuracy
        return np.asarray(np.nan_to_num(np.asarray(found, np.float64)))

    def lf_empirical_probs(self, Y: ArrayLike, k: int) -> NDArray[np.float64]:
        """[M, K + 1, K] P(vote | class), the vote less 1 on the second axis, so that abstains come first.

        Args:
            Y: [N] true classes.
            k: K.
        """
        return vote_table(self.L, np.eye(k)[np.asarray(label_array(Y, "Y"))])

    def lf_summary(self, Y: ArrayLike | None = None, est_weights: ArrayLike | None = None) -> pd.DataFrame:
        """A line a function: j, Polarity, Coverage, Overlaps, Conflicts; with Y also Correct, Incorrect and Emp. Acc.

        Args:
            Y: [N] true classes, -1 where unknown.
            est_weights: [M] what a model has learned, as "Learned Weight".

        Raises:
            MissingExtraError: if pandas is not installed.
            InvalidArgumentError: for labels of another length.
        """
        columns: dict[str, Any] = {"j": list(range(len(self._names)))} if self._named else {}
        columns |= {
            "Polarity": self.lf_polarities(),
            "Coverage": self.lf_coverages(),
            "Overlaps": self.lf_overlaps(),
            "Conflicts": self.lf_conflicts(),
        }
        if Y is not None:
            judged = self._judged(Y)
            columns |= {"Correct": judged.correct, "Incorrect": judged.incorrect}
            columns["Emp. Acc."] = self.lf_empirical_accuracies(Y)
        if est_weights is not None:
            columns["Learned Weight"] = np.asarray(est_weights)
        frame: pd.DataFrame = pandas().DataFrame(columns, index=self._names)
        return frame

    def _judged(self, Y: ArrayLike) -> Any:
        gold = label_array(Y, "Y")
        n_classes = max(self._votes.n_classes, int(gold.max(initial=1)) + 1)
        return source_summary(Votes.from_dense(self.L, n_classes, sources=self._votes.source_names), gold)


def vote_table(L: NDArray[Any], soft: NDArray[Any]) -> NDArray[np.float64]:
    """[M, K + 1, K] share of the items of each class on which each source abstains, or votes for a class.

    Args:
        L: [N, M] class indices, -1 for an abstain.
        soft: [N, K] soft labels, or one-hot ones.
    """
    n_classes = soft.shape[1]
    total = soft.sum(0)
    counts = np.stack([np.equal(L, vote).T.astype(np.float64) @ soft for vote in range(-1, n_classes)], 1)
    return np.asarray(np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return part if whole is None else np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

"""Each two sources: how far they agree, whether they err together, whether one copies the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis.agreement import pairwise_agreement
from weaklabel.analysis.dependence import effective_votes
from weaklabel.analysis.inspection.truth import Model, read_truth
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class SourcePairs:
    """P pairs of sources that share items, those whose errors go together most first."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    items: NDArray[np.int64]
    """[P] items that both vote on."""
    agreement: NDArray[np.float64]
    """[P] share of them on which both say the same."""
    kappa: NDArray[np.float64]
    """[P] Cohen's, NaN where both always say the same one class."""
    error_correlation: NDArray[np.float64]
    """[P] of their errors, by `effective_votes`; NaN where one of the two is always right or always wrong."""
    copies: NDArray[np.bool_] | None
    """[P] whether the model takes them for copies of each other, and counts them once; None without a model."""

    def to_pandas(self) -> pd.DataFrame:
        """A line a pair.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        columns: dict[str, Any] = {"source": list(self.first), "other": list(self.second), "items": self.items}
        columns |= {"agreement": self.agreement, "kappa": self.kappa, "error_correlation": self.error_correlation}
        frame: pd.DataFrame = pandas().DataFrame(columns | ({} if self.copies is None else {"copies": self.copies}))
        return frame


def source_pairs(votes: Votes, truth: Model | ArrayLike) -> SourcePairs:
    """Agreement and dependence of each two sources.

    Args:
        votes: N items, M sources (at most 2,000), K classes; plain votes only.
        truth: a fitted model, soft labels [N, K] or gold [N]; by gold, errors are seen. See `effective_votes`.

    Raises:
        InvalidVotesError, InvalidArgumentError: as of `effective_votes`.
    """
    known = read_truth(votes, truth)
    labels = known.soft if known.by == "soft labels" else np.where(known.known, known.soft.argmax(1), -1)
    worth, agreement = effective_votes(votes, labels), pairwise_agreement(votes)
    place = np.array([votes.source_names.index(name) for name in worth.sources], np.intp)
    correlation = np.full(agreement.raw.shape, np.nan)
    correlation[np.ix_(place, place)] = worth.pairs
    a, b = np.nonzero(np.triu(agreement.items, 1))
    order = np.argsort(-np.nan_to_num(correlation[a, b], nan=-2.0), kind="stable")
    a, b = a[order], b[order]
    groups = getattr(getattr(truth, "diagnostics", None), "copies", None)
    copies = None
    if groups is not None:
        group_of = {name: number for number, group in enumerate(groups) for name in group}
        group = np.array([group_of.get(name, -1 - at) for at, name in enumerate(votes.source_names)])
        copies = group[a] == group[b]
    names = votes.source_names
    return SourcePairs(
        first=tuple(names[at] for at in a.tolist()),
        second=tuple(names[at] for at in b.tolist()),
        items=agreement.items[a, b],
        agreement=agreement.raw[a, b],
        kappa=agreement.kappa[a, b],
        error_correlation=correlation[a, b],
        copies=copies,
    )

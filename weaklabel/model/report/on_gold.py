"""What gold shows of a fit and its sources: of one that was corrected by it, and of one that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from weaklabel.model.report.agreement import Agreement
from weaklabel.model.report.diagnostics import Diagnostics, Finding
from weaklabel.model.report.findings import COUNTED_AGAINST, ENOUGH_GOLD, doubt_in_words, listed, risk_of
from weaklabel.model.report.intervals import INTERVAL_LEVEL
from weaklabel.votes import Votes

WITHOUT_GOLD = (
    "Without gold this rests on the votes alone. A source that is mostly wrong shows only where enough others "
    f"contradict it, and errors that sources share never do: {ENOUGH_GOLD} to 50 known labels would show both."
)
"""What no fit to votes alone can know."""
UNKNOWN_TO_THE_FIT = (
    "A fit to votes alone may take them for right. Check them for swapped classes, mend or remove them, and fit with "
    "the gold."
)
"""What a source worse than chance does where gold was not fitted."""


class Judged(NamedTuple):
    """Votes on items with gold, by source."""

    right: NDArray[np.int64]
    """[M]"""
    total: NDArray[np.int64]
    """[M]"""

    @property
    def intervals(self) -> NDArray[np.float64]:
        """[M, 2] of the accuracies, by these votes and nothing else: exact (Clopper and Pearson 1934,
        doi:10.1093/biomet/26.4.404), so that two or three votes accuse nobody; [0, 1] where there are none.
        """
        right, wrong, tail = self.right, self.total - self.right, (1 - INTERVAL_LEVEL) / 2
        low = np.where(right > 0, betaincinv(np.maximum(right, 1), wrong + 1, tail), 0.0)
        high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1), 1 - tail), 1.0)
        return np.stack([low, high], axis=1)

    @property
    def mostly_wrong(self) -> NDArray[np.bool_]:
        """[M] whether more votes of the source are wrong than right, with 95 % probability."""
        return np.asarray(self.intervals[:, 1] < 0.5)


def judged(votes: Votes, truth: NDArray[np.integer[Any]]) -> Judged:
    """How many votes are right, and how many there are, where gold is known.

    Args:
        votes: N items; each vote is for one class.
        truth: [N] classes, -1 where unknown.
    """
    rows, sources, labels = votes.triples()
    known = truth[rows] >= 0
    right = known & (labels == truth[rows])
    return Judged(*(np.bincount(sources[some], minlength=votes.n_sources) for some in (right, known)))


def corrected(found: Diagnostics, agreement: Agreement, n_items: float, n_labels: int) -> Diagnostics:
    """The diagnostics of soft labels that `n_labels` gold labels have corrected, by their agreement on `n_items`.

    The risk is that of the corrected labels, by the constants of fits without gold; errors that sources share are no
    finding where there is gold enough to show them.
    """
    told = found.findings if n_labels < ENOUGH_GOLD else tuple(one for one in found.findings if one.kind != "doubt")
    return replace(found, risk=risk_of(agreement, n_items), findings=told)


def with_accuracies(
    found: Diagnostics,
    source_names: Sequence[str],
    intervals: NDArray[np.float64],
    chance: NDArray[np.float64],
    on_gold: Judged,
) -> Diagnostics:
    """The diagnostics of a fit with gold, with the sources that are wrong by accuracies which gold has corrected.

    Args:
        found: those of the votes alone.
        source_names: M names.
        intervals: [M, 2] of the accuracies.
        chance: [M] of `chance_of`.
        on_gold: votes on items with gold.
    """
    return _with_wrong(found, source_names, intervals[:, 1] < chance, on_gold, COUNTED_AGAINST)


def beside_gold(
    found: Diagnostics,
    source_names: Sequence[str],
    intervals: NDArray[np.float64],
    chance: NDArray[np.float64],
    on_gold: Judged,
    n_labels: int,
) -> Diagnostics:
    """The diagnostics of a fit that has not seen the gold, with what gold shows of its sources.

    Of the two intervals of a source, by the votes alone and by gold alone, that of gold holds where it is narrower or
    contradicts the other.

    Args:
        found: those of the fit.
        source_names: M names.
        intervals: [M, 2] of the accuracies by the fit.
        chance: [M] of `chance_of`.
        on_gold: votes on items with gold.
        n_labels: number of items with gold.
    """
    by_gold = on_gold.intervals
    apart = (by_gold[:, 1] < intervals[:, 0]) | (by_gold[:, 0] > intervals[:, 1])
    holds = (on_gold.total > 0) & (apart | (np.ptp(by_gold, axis=1) < np.ptp(intervals, axis=1)))
    high = np.where(holds, by_gold[:, 1], intervals[:, 1])
    changed = _with_wrong(found, source_names, high < chance, on_gold, UNKNOWN_TO_THE_FIT)
    if n_labels < ENOUGH_GOLD:
        return changed
    told = Finding("doubt", doubt_in_words(found.doubt, "Trust accuracies on gold more, and fit with the gold."))
    return replace(changed, findings=tuple(told if one.kind == "doubt" else one for one in changed.findings))


def _with_wrong(
    found: Diagnostics, source_names: Sequence[str], below: NDArray[np.bool_], on_gold: Judged, advice: str
) -> Diagnostics:
    wrong = on_gold.mostly_wrong & ~below & ~np.isin(source_names, found.constant)
    told = [one for one in found.findings if one.kind not in ("worse_than_chance", "mostly_wrong")]
    if wrong.any():
        message = (
            f"More often wrong than right: {_counted(source_names, wrong, on_gold)}. See which classes they take for "
            "others, then mend or remove them, unless they name a rare class that others miss."
        )
        told.insert(0, Finding("mostly_wrong", message))
    if below.any():
        message = f"Worse than chance: {_counted(source_names, below, on_gold)}. {advice}"
        told.insert(0, Finding("worse_than_chance", message))
    named = tuple(source_names[at] for at in np.flatnonzero(below).tolist())
    return replace(found, worse_than_chance=named, findings=tuple(told))


def _counted(source_names: Sequence[str], chosen: NDArray[np.bool_], on_gold: Judged) -> str:
    """The chosen sources that most votes on gold speak of first, each with how many of them are right."""
    at = np.flatnonzero(chosen)
    at = at[np.argsort(-on_gold.total[at], kind="stable")]
    counts = zip(on_gold.right[at].tolist(), on_gold.total[at].tolist(), strict=True)
    remarks = [f" ({right} of {total} right on gold)" if total else "" for right, total in counts]
    return listed([source_names[one] for one in at.tolist()], remarks)

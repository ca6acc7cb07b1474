"""Labels that may be wrong, worst first, with the probability of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.frames import pandas
from weaklabel.votes.gold import read_labels

SURE = 1e-6
"""Probabilities are clipped here before their log-odds are taken."""


class Suspect(NamedTuple):
    """One label that may be wrong."""

    item: int
    """Position."""
    item_id: str | None
    given: str
    """Class that the data set names."""
    suggested: str
    """Class that is likelier."""
    probability: float
    """That the given one is wrong."""
    reason: str


class FoundErrors(NamedTuple):
    """What gold says of a ranking of labels, on the items that have both."""

    n_items: int
    n_wrong: int
    """Labels that are not the gold."""
    n_suspects: int
    precision: float
    """Share of the suspects that are wrong; NaN without one."""
    recall: float
    """Share of the wrong labels that are suspects; NaN without one."""
    average_precision: float
    """Area under the curve of precision against recall of the whole ranking; NaN without a wrong label."""


@dataclass(frozen=True, kw_only=True)
class LabelIssues:
    """What is known of the labels of N items.

    Iterating gives the suspects, worst first.
    """

    probability: NDArray[np.float64]
    """[N] that the label is wrong; NaN where there is no label."""
    given: NDArray[np.int32]
    """[N] classes of the labels, -1 where there is none."""
    suggested: NDArray[np.int32]
    """[N] likeliest class."""
    n_expected: float
    """Number of wrong labels that is expected."""
    classes: tuple[str, ...]
    item_ids: tuple[str, ...] | None
    reasons: Sequence[str] | None = None
    """[N] why; None where there is nothing to say but the probability."""

    @property
    def ranked(self) -> NDArray[np.intp]:
        """Positions of the items with a label, those whose label is likeliest wrong first."""
        order = np.argsort(-np.nan_to_num(self.probability, nan=-1.0), kind="stable")
        return order[: int(np.isfinite(self.probability).sum())]

    @property
    def suspects(self) -> NDArray[np.intp]:
        """Positions of labels that are likelier wrong than right, worst first."""
        ranked = self.ranked
        return ranked[self.probability[ranked] > 0.5]

    def expected_precision(self, n: int) -> float:
        """Share of the n first of `ranked` that is expected to be wrong.

        Raises:
            InvalidArgumentError: for n below 1, or above the number of labels.
        """
        ranked = self.ranked
        if not 1 <= n <= len(ranked):
            raise InvalidArgumentError(f"n must be in 1..{len(ranked)}, got {n}", field="n")
        return float(self.probability[ranked[:n]].mean())

    def against(self, gold: ArrayLike) -> FoundErrors:
        """How many of the suspects are wrong, by known labels that took no part in finding them.

        Args:
            gold: [N] class indices or names, -1 where unknown.

        Raises:
            InvalidArgumentError: for gold that is no classes, or known of no item with a label.
        """
        truth = read_labels(
            gold, len(self.given), len(self.classes), item_ids=self.item_ids, classes=self.classes, field="gold"
        )
        ranked = self.ranked[truth[self.ranked] >= 0]
        if not len(ranked):
            raise InvalidArgumentError("gold is known of no item that has a label", field="gold")
        hits = self.given[ranked] != truth[ranked]
        is_suspect = self.probability[ranked] > 0.5
        n_wrong, n_suspects, n_both = (int(one.sum()) for one in (hits, is_suspect, hits & is_suspect))
        at_each = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        return FoundErrors(
            n_items=len(ranked),
            n_wrong=n_wrong,
            n_suspects=n_suspects,
            precision=n_both / n_suspects if n_suspects else float("nan"),
            recall=n_both / n_wrong if n_wrong else float("nan"),
            average_precision=float(at_each[hits].mean()) if n_wrong else float("nan"),
        )

    def __len__(self) -> int:
        return len(self.suspects)

    def __iter__(self) -> Iterator[Suspect]:
        return map(self._suspect, self.suspects.tolist())

    def _suspect(self, item: int) -> Suspect:
        return Suspect(
            item=item,
            item_id=None if self.item_ids is None else self.item_ids[item],
            given=self.classes[self.given[item]],
            suggested=self.classes[self.suggested[item]],
            probability=float(self.probability[item]),
            reason="" if self.reasons is None else self.reasons[item],
        )

    def to_frame(self) -> Any:
        """A pandas table of the suspects, worst first: item, given, suggested, probability, reason.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        rows = [suspect._asdict() for suspect in self]
        table = pandas().DataFrame(rows, columns=list(Suspect._fields))
        return table.drop(columns="item_id") if self.item_ids is None else table

    def __repr__(self) -> str:
        n_labels = int(np.isfinite(self.probability).sum())
        head = f"LabelIssues({len(self):,} of {n_labels:,} labels are likelier wrong than right, "
        return head + f"{self.n_expected:,.0f} wrong ones are expected)"


def shifted(log_odds: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Probabilities in the order of some log-odds, with a given mean: their log-odds are moved by one number."""
    if not len(log_odds) or not 0 < mean < 1:
        return np.full(log_odds.shape, min(max(mean, 0.0), 1.0))
    shift = brentq(lambda by: float(expit(log_odds + by).mean()) - mean, -60.0, 60.0)
    return np.asarray(expit(log_odds + shift))


def log_odds_of_error(probabilities: NDArray[np.float64], given: NDArray[np.int32]) -> NDArray[np.float64]:
    """[N] log-odds that the given classes are wrong."""
    right = probabilities[np.arange(len(given)), given]
    return np.asarray(logit(np.clip(1 - right, SURE, 1 - SURE)))

"""Labels that may be wrong: what weaklabel.label_errors gives, under the same names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from weaklabel_client._results.tables import data_frame
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import label_errors_pb2

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelIssues:
    """What is known of the labels of N items. Iterating gives the suspects, worst first."""

    votes_version: int
    """The version of the votes."""
    probability: npt.NDArray[np.float64]
    """[N] that the label is wrong; NaN where there is no label."""
    given: npt.NDArray[np.int32]
    """[N] classes of the labels, -1 where there is none."""
    suggested: npt.NDArray[np.int32]
    """[N] likeliest other class."""
    n_expected: float
    """Number of wrong labels that is expected."""
    classes: tuple[str, ...]
    item_ids: tuple[str, ...] | None
    reasons: tuple[str, ...]
    """[N] why; empty where the label is likelier right than wrong."""

    @property
    def ranked(self) -> npt.NDArray[np.intp]:
        """Positions of the items with a label, those whose label is likeliest wrong first."""
        order = np.argsort(-np.nan_to_num(self.probability, nan=-1.0), kind="stable")
        return order[: int(np.isfinite(self.probability).sum())]

    @property
    def suspects(self) -> npt.NDArray[np.intp]:
        """Positions of labels that are likelier wrong than right, worst first."""
        ranked = self.ranked
        return ranked[self.probability[ranked] > 0.5]

    def expected_precision(self, n: int) -> float:
        """Share of the n first of `ranked` that is expected to be wrong.

        Raises:
            ValueError: For n below 1, or above the number of labels.
        """
        ranked = self.ranked
        if not 1 <= n <= len(ranked):
            raise ValueError(f"n must be in 1..{len(ranked)}, got {n}")
        return float(self.probability[ranked[:n]].mean())

    @classmethod
    def from_messages(
        cls, messages: Sequence[label_errors_pb2.ReadLabelErrorsResponse], classes: tuple[str, ...]
    ) -> "LabelIssues":
        """Reads the contract's messages."""
        probability = np.concatenate([np.array(message.probabilities) for message in messages])
        pairs = np.concatenate([from_tensor(message.classes) for message in messages]).astype(np.int32)
        why = iter([reason for message in messages for reason in message.reasons])
        ids = tuple(one for message in messages for one in message.item_ids)
        return cls(
            votes_version=messages[0].votes_version,
            probability=probability,
            given=pairs[:, 0],
            suggested=pairs[:, 1],
            n_expected=messages[0].expected_count,
            classes=classes,
            item_ids=ids or None,
            reasons=tuple(next(why) if suspect else "" for suspect in (probability > 0.5).tolist()),
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
            reason=self.reasons[item],
        )

    def to_frame(self) -> "pd.DataFrame":
        """A pandas table of the suspects, worst first: item, given, suggested, probability, reason.

        Raises:
            ImportError: pandas is not installed.
        """
        rows = list(self)
        names = [name for name in Suspect._fields if name != "item_id" or self.item_ids is not None]
        return data_frame({name: [getattr(row, name) for row in rows] for name in names})

    def __repr__(self) -> str:
        n_labels = int(np.isfinite(self.probability).sum())
        head = f"LabelIssues({len(self):,} of {n_labels:,} labels are likelier wrong than right, "
        return head + f"{self.n_expected:,.0f} wrong ones are expected)"

"""Labels that may be wrong as messages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import label_errors_pb2
from weaklabel_server.messages.analysis.cutting import cut, text_bytes

_ROW_BYTES = 8 + 8
"""The probability and the two classes."""


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """weaklabel.label_errors.LabelIssues of the items of a version, as far as it travels."""

    votes_version: int
    n_expected: float
    probability: NDArray[np.float64]
    """[N] NaN where there is no label."""
    given: NDArray[np.int32]
    """[N]"""
    suggested: NDArray[np.int32]
    """[N]"""
    reasons: Sequence[str]
    """Of the items whose probability is above one half, in their order."""
    item_ids: Sequence[str]
    """[N]; empty where the project does not name items."""


def label_error_messages(found: LabelErrors, max_bytes: int) -> Iterator[label_errors_pb2.ReadLabelErrorsResponse]:
    """Labels that may be wrong as messages of their rows."""
    suspect = found.probability > 0.5
    reason_at = np.concatenate([[0], np.cumsum(suspect)])
    ids, reasons = found.item_ids, found.reasons

    def size(row: int) -> int:
        more = text_bytes(ids[row]) if ids else 0
        return _ROW_BYTES + more + (text_bytes(reasons[reason_at[row]]) if suspect[row] else 0)

    for start, stop in cut(map(size, range(len(suspect))), max_bytes):
        rows = slice(start, stop)
        yield label_errors_pb2.ReadLabelErrorsResponse(
            votes_version=0 if start else found.votes_version,
            expected_count=0 if start else found.n_expected,
            row_offset=start,
            item_ids=ids[rows],
            probabilities=found.probability[rows].tolist(),
            classes=to_tensor(np.column_stack([found.given[rows], found.suggested[rows]])),
            reasons=reasons[reason_at[start] : reason_at[stop]],
        )

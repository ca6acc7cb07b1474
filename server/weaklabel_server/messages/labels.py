"""Predictions: the rows of a request and how they are labeled; hard labels and explanations as messages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import labels_pb2, side_data_pb2, tensor_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.codebooks import read_codebook
from weaklabel_server.messages.side_rows import read_side_rows
from weaklabel_server.messages.votes import read_codes
from weaklabel_server.store.chunks import Codes

if TYPE_CHECKING:  # JAX takes seconds to load
    from weaklabel.model import Explanation
    from weaklabel.model.calibration.decision import TieBreakPolicy
    from weaklabel.model.inputs import Unseen

AnyPredictRequest = labels_pb2.PredictRequest | labels_pb2.PredictStreamRequest
VotesRequest = labels_pb2.ExplainRequest | labels_pb2.PredictSetRequest

_TIE_BREAK_POLICIES: dict[int, "TieBreakPolicy"] = {
    labels_pb2.TIE_BREAK_POLICY_UNSPECIFIED: "abstain",
    labels_pb2.TIE_BREAK_POLICY_RANDOM: "random",
    labels_pb2.TIE_BREAK_POLICY_TRUE_RANDOM: "true-random",
}
"""LabelModel.label's tie_break_policy by the numbers of the contract."""
_SMALL_ROWS = 256
_UNSEEN: dict[int, "Unseen"] = {
    labels_pb2.UNSEEN_SOURCES_UNSPECIFIED: "error",
    labels_pb2.UNSEEN_SOURCES_IGNORE: "ignore",
    labels_pb2.UNSEEN_SOURCES_AVERAGE: "average",
}
"""Its unseen, likewise."""


class PredictRows(NamedTuple):
    """The rows of a request: codes [rows, sources] or None without votes, what those from K on stand for, and side
    information.
    """

    n_rows: int
    codes: Codes | None
    symbols: Symbols
    side_information: dict[str, Any]  # by the names of the arguments of LabelModel.label


def is_small(request: labels_pb2.PredictRequest) -> bool:
    """Whether a request may be answered together with others: few plain votes alone, each row for itself."""
    return (
        request.HasField("votes")
        and request.votes.rows <= _SMALL_ROWS
        and not request.HasField("codebook")
        and not request.HasField("side")
        and request.tie_break_policy == labels_pb2.TIE_BREAK_POLICY_UNSPECIFIED
        and request.unseen == labels_pb2.UNSEEN_SOURCES_UNSPECIFIED
    )


def read_predict_rows(
    request: AnyPredictRequest, *, sources: Sequence[str], n_classes: int, max_rows: int
) -> PredictRows:
    """Decodes and checks the rows of a request, of which there may be max_rows.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    field, rows = _row_count(request)
    if not 1 <= rows <= max_rows:
        raise invalid(field, f"1 to {max_rows} rows, so that the answer fits into a message, got {rows}")
    codebook = read_codebook(request.codebook, field="codebook", n_classes=n_classes)
    codes = None
    if request.HasField("votes"):
        codes = read_codes(request.votes, field="votes", sources=sources, codebook=codebook)
    side = _side_information(request.side, rows, n_classes) if request.HasField("side") else {}
    return PredictRows(rows, codes, codebook.symbols, side)


def read_votes(
    request: VotesRequest, *, sources: Sequence[str], n_classes: int, max_rows: int
) -> tuple[Codes, Symbols]:
    """Decodes and checks votes of a request that takes nothing beside them: codes, and what those from K on stand for.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not request.HasField("votes"):
        raise invalid("votes", "votes are needed")
    if not 1 <= request.votes.rows <= max_rows:
        raise invalid("votes.rows", f"1 to {max_rows} rows, got {request.votes.rows}")
    codebook = read_codebook(request.codebook, field="codebook", n_classes=n_classes)
    return read_codes(request.votes, field="votes", sources=sources, codebook=codebook), codebook.symbols


def read_tie_break_policy(request: AnyPredictRequest) -> "TieBreakPolicy":
    """What a label is where classes are tied, as LabelModel.label takes it.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if request.tie_break_policy not in _TIE_BREAK_POLICIES:
        raise invalid("tie_break_policy", f"a policy for ties, got {request.tie_break_policy}")
    return _TIE_BREAK_POLICIES[request.tie_break_policy]


def read_unseen(request: AnyPredictRequest | VotesRequest) -> "Unseen":
    """What is done with votes of sources that the model does not know, as LabelModel.label takes it.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if request.unseen not in _UNSEEN:
        raise invalid("unseen", f"what is done with unseen sources, got {request.unseen}")
    return _UNSEEN[request.unseen]


def explanation_message(explanation: "Explanation") -> labels_pb2.Explanation:
    """An explanation as a message."""
    return labels_pb2.Explanation(
        sources=explanation.source_names,
        votes=explanation.votes.tolist(),
        vote_texts=explanation.vote_texts,
        prior=explanation.prior.tolist(),
        contributions=to_tensor(explanation.sources, np.float32),
        vote_shares=explanation.vote_shares.tolist(),
        gold=explanation.gold.tolist(),
        probabilities=explanation.probabilities.tolist(),
    )


def label_column(labels: NDArray[np.int32]) -> tensor_pb2.Tensor:
    """Hard labels as a tensor of one column."""
    return to_tensor(labels.reshape(-1, 1), np.int32)


def _row_count(request: AnyPredictRequest) -> tuple[str, int]:
    """The field that gives the number of rows of a request, and that number."""
    if request.HasField("votes"):
        return "votes.rows", request.votes.rows
    if request.side.HasField("sparse_features"):
        return "side.sparse_features.lengths.rows", request.side.sparse_features.lengths.rows
    if request.side.HasField("features"):
        return "side.features.rows", request.side.features.rows
    raise invalid("votes", "votes, or features of items without votes, are needed")


def _side_information(message: side_data_pb2.SideRows, rows: int, n_classes: int) -> dict[str, Any]:
    """The side information about the rows of a request."""
    read = read_side_rows(message, field="side", rows=rows, n_classes=n_classes)
    if read.gold is not None:
        raise invalid("side.gold", "known labels are for fits")
    if read.gold_weight is not None:
        raise invalid("side.gold_weight", "weights of known labels are for fits")
    if read.labels is not None:
        raise invalid("side.labels", "labels that somebody has given are for reports")
    if read.fields is not None:
        raise invalid("side.fields", "texts are for prompts")
    if read.bags is not None and (read.bags.item.dtype.kind == "O" or int(read.bags.item.max()) >= rows):
        raise invalid("side.bags.items.data", f"rows of this request, 0..{rows - 1}, are expected")
    return {name: value for name, value in vars(read).items() if value is not None}

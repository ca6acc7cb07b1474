"""Predictions: the rows of a request, and hard labels as tensors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import labels_pb2, side_data_pb2, tensor_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.codebooks import read_codebook
from weaklabel_server.messages.side_rows import read_side_rows
from weaklabel_server.messages.votes import read_codes
from weaklabel_server.store.chunks import Codes

AnyPredictRequest = labels_pb2.PredictRequest | labels_pb2.PredictStreamRequest


class PredictRows(NamedTuple):
    """The rows of a request: codes [rows, sources], what those from K on stand for, and side information."""

    codes: Codes
    symbols: Symbols
    side_information: dict[str, Any]  # by the names of the arguments of LabelModel.label


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
    if request.HasField("votes"):
        codes = read_codes(request.votes, field="votes", sources=sources, codebook=codebook)
    else:
        codes = np.full((rows, len(sources)), ABSTAIN, np.int8)
    side = _side_information(request.side, rows, n_classes) if request.HasField("side") else {}
    return PredictRows(codes, codebook.symbols, side)


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
    if read.fields is not None:
        raise invalid("side.fields", "texts are for prompts")
    if read.bags is not None and (read.bags.item.dtype.kind == "U" or int(read.bags.item.max()) >= rows):
        raise invalid("side.bags.items.data", f"rows of this request, 0..{rows - 1}, are expected")
    return {name: value for name, value in vars(read).items() if value is not None}

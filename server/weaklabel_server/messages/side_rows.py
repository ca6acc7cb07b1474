"""Side information in requests: every value is checked, and the error names the place of the first fault."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information import bags
from weaklabel.side_information.bags import Bags
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.v1 import side_data_pb2, tensor_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import check_names, check_texts
from weaklabel_server.messages.codebooks import read_codebook
from weaklabel_server.messages.rows import MAX_ROWS
from weaklabel_server.messages.tensors import read_distributions, read_floats, read_integers
from weaklabel_server.store.side_data import SideKind

if TYPE_CHECKING:
    # A sixth of what a server imports to start; most never see sparse features.
    import scipy.sparse as sp

    Features = NDArray[np.float32] | sp.csr_array

MAX_COLUMNS = 10_000_000

_FIELDS = {
    "gold": SideKind.GOLD,
    "prior": SideKind.PRIOR,
    "groups": SideKind.GROUPS,
    "features": SideKind.FEATURES,
    "sparse_features": SideKind.FEATURES,
    "bags": SideKind.BAGS,
    "fields": SideKind.FIELDS,
    "gold_weight": SideKind.GOLD_WEIGHT,
    "labels": SideKind.LABELS,
}


@dataclass(frozen=True)
class SideRows:
    """Side information about n rows; None where a kind is not given.

    Attributes:
        gold: [n] class, -1 where it is not known, a code of gold_symbols from K on.
        prior: [n, K], NaN in rows without a belief.
        groups: [n] names.
        features: [n, columns].
        bags: of items by their positions or ids.
        fields: n mappings from names of fields to texts.
        gold_weight: [n] how many items the gold of each stands for.
        labels: [n] class that somebody names, -1 for none.
        gold_symbols: the sets of classes among the gold, each of them used; None where there are none.
    """

    gold: NDArray[np.int32] | None = None
    prior: NDArray[np.float32] | None = None
    groups: NDArray[np.object_] | None = None
    features: "Features | None" = None
    bags: Bags | None = None
    fields: list[dict[str, str]] | None = None
    gold_weight: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    gold_symbols: Symbols | None = None

    @property
    def column_count(self) -> int:
        """Number of features; 0 where there are none."""
        return 0 if self.features is None else int(self.features.shape[1])


def kinds_of(message: side_data_pb2.SideRows) -> dict[SideKind, str]:
    """The kinds of side information in a message, and the field of each.

    Raises:
        ServiceError: INVALID_FIELD when it gives features twice, or a codebook without gold.
    """
    given = [name for name in _FIELDS if message.HasField(name)]
    if "features" in given and "sparse_features" in given:
        raise invalid("sparse_features", "features are given already")
    if message.HasField("gold_codebook") and "gold" not in given:
        raise invalid("gold_codebook", "it is of gold, and none is given")
    return {_FIELDS[name]: name for name in given}


def read_side_rows(message: side_data_pb2.SideRows, *, field: str, rows: int, n_classes: int) -> SideRows:
    """Decodes and checks side information about so many rows, items or bags; `field` is where the message stands.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    read: dict[str, Any] = {}
    for kind, name in kinds_of(message).items():
        value, place = getattr(message, name), f"{field}.{name}"
        if kind is SideKind.GOLD:
            read["gold"], read["gold_symbols"] = _gold(message, field=field, rows=rows, n_classes=n_classes)
        elif kind is SideKind.LABELS:
            read["labels"] = _labels(value, field=place, rows=rows, limit=n_classes, lowest=-1)
        elif kind is SideKind.PRIOR:
            _check_rows(value, field=place, rows=rows)
            read["prior"] = read_distributions(value, field=place, n_classes=n_classes, gaps=True)
        elif kind is SideKind.GROUPS:
            read["groups"] = _groups(value, field=place, rows=rows)
        elif kind is SideKind.BAGS:
            read["bags"] = _bags(value, field=place, n_classes=n_classes)
        elif kind is SideKind.FIELDS:
            read["fields"] = _texts(value, field=place, rows=rows)
        elif kind is SideKind.GOLD_WEIGHT:
            read["gold_weight"] = _weights(value, field=place, rows=rows)
        else:
            make = _sparse if name == "sparse_features" else _dense
            read["features"] = make(value, field=place, rows=rows)
    return SideRows(**read)


def _check_rows(tensor: tensor_pb2.Tensor, *, field: str, rows: int) -> None:
    if tensor.rows != rows:
        raise invalid(f"{field}.rows", f"{rows} rows, got {tensor.rows}")


def _column(tensor: tensor_pb2.Tensor, *, field: str, rows: int | None = None) -> NDArray[np.int32]:
    """[rows] whole numbers."""
    if rows is not None:
        _check_rows(tensor, field=field, rows=rows)
    if tensor.columns != 1:
        raise invalid(f"{field}.columns", f"1 column, got {tensor.columns}")
    return read_integers(tensor, field=field)[:, 0].astype(np.int32)


def _labels(tensor: tensor_pb2.Tensor, *, field: str, rows: int, limit: int, lowest: int) -> NDArray[np.int32]:
    labels = _column(tensor, field=field, rows=rows)
    wrong = (labels < lowest) | (labels >= limit)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise invalid(f"{field}.data", f"row {at}: {labels[at]} is outside {lowest}..{limit - 1}")
    return labels


def _gold(
    message: side_data_pb2.SideRows, *, field: str, rows: int, n_classes: int
) -> tuple[NDArray[np.int32], Symbols | None]:
    """Codes [rows], and what those from K on stand for; None where there are none."""
    if message.gold_codebook.HasField("soft_votes"):
        raise invalid(f"{field}.gold_codebook.soft_votes", "none: gold is a class, or a set of classes")
    codebook = read_codebook(message.gold_codebook, field=f"{field}.gold_codebook", n_classes=n_classes)
    given = _labels(message.gold, field=f"{field}.gold", rows=rows, limit=codebook.limit, lowest=-1)
    symbols, codes = codebook.symbols.only(codebook.translate(given))
    return codes.astype(np.int32), symbols if len(symbols) else None


def _weights(tensor: tensor_pb2.Tensor, *, field: str, rows: int) -> NDArray[np.float32]:
    _check_rows(tensor, field=field, rows=rows)
    weights = _finite(read_floats(tensor, field=field, columns=1)[:, 0], field=field)
    if (weights < 0).any():
        at = int(np.argmax(weights < 0))
        raise invalid(f"{field}.data", f"row {at}: {weights[at]:g} is below 0")
    return weights


def _groups(message: side_data_pb2.Groups, *, field: str, rows: int) -> NDArray[np.object_]:
    check_names(message.names, field=f"{field}.names", what="groups", limit=MAX_ROWS)
    index = _labels(message.indices, field=f"{field}.indices", rows=rows, limit=len(message.names), lowest=0)
    return np.array(message.names, object)[index]  # in an array of text each would be as long as the longest


def _texts(message: side_data_pb2.Fields, *, field: str, rows: int) -> list[dict[str, str]]:
    if len(message.items) != rows:
        raise invalid(f"{field}.items", f"one entry for each of the {rows} rows, got {len(message.items)}")
    return [dict(item.values) for item in message.items]


def _dense(tensor: tensor_pb2.Tensor, *, field: str, rows: int) -> NDArray[np.float32]:
    _check_rows(tensor, field=field, rows=rows)
    return _finite(read_floats(tensor, field=field, columns=_columns(tensor.columns, field=field)), field=field)


def _sparse(message: side_data_pb2.SparseRows, *, field: str, rows: int) -> "sp.csr_array":
    import scipy.sparse as sp

    columns = _columns(message.columns, field=field)
    lengths = _column(message.lengths, field=f"{field}.lengths", rows=rows)
    indices = _column(message.indices, field=f"{field}.indices")
    values = read_floats(message.values, field=f"{field}.values", columns=1)[:, 0]
    _finite(values, field=f"{field}.values")
    if (lengths < 0).any() or not int(lengths.sum()) == len(indices) == len(values):
        raise invalid(
            f"{field}.lengths.data", f"they say {lengths.sum()} elements; {len(indices)} and {len(values)} are given"
        )
    wrong = (indices < 0) | (indices >= columns)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise invalid(f"{field}.indices.data", f"element {at}: column {indices[at]} is outside 0..{columns - 1}")
    made = sp.csr_array((values, indices, np.concatenate([[0], np.cumsum(lengths)])), shape=(rows, columns))
    made.sort_indices()
    twice = (np.diff(made.indices) == 0) & (np.diff(np.repeat(np.arange(rows), lengths)) == 0)
    if twice.any():
        at = int(np.argmax(twice))
        raise invalid(f"{field}.indices.data", f"column {made.indices[at]} is given twice in one row")
    return made


def _columns(columns: int, *, field: str) -> int:
    if not 1 <= columns <= MAX_COLUMNS:
        raise invalid(f"{field}.columns", f"1 to {MAX_COLUMNS} columns, got {columns}")
    return columns


def _finite(values: NDArray[np.float32], *, field: str) -> NDArray[np.float32]:
    wrong = ~np.isfinite(values)
    if wrong.any():
        at = np.argwhere(wrong)[0].tolist()
        raise invalid(f"{field}.data", f"row {at[0]}{f', column {at[1]}' if len(at) > 1 else ''}: not a finite number")
    return values


def _bags(message: side_data_pb2.Bags, *, field: str, n_classes: int) -> Bags:
    sizes = _column(message.sizes, field=f"{field}.sizes")
    if not 1 <= len(sizes) <= MAX_ROWS or (sizes < 1).any():
        raise invalid(f"{field}.sizes.data", f"1 to {MAX_ROWS} bags of at least one item each are expected")
    if message.item_ids:
        check_texts(message.item_ids, field=f"{field}.item_ids")
        items: NDArray[Any] = np.array(message.item_ids, object)
    else:
        items = _column(message.items, field=f"{field}.items")
    if int(sizes.sum()) != len(items) or (message.item_ids and message.HasField("items")):
        raise invalid(f"{field}.sizes.data", f"they say {sizes.sum()} items; {len(items)} are given")
    members = np.split(items, np.cumsum(sizes)[:-1])
    try:
        return _bags_of_kind(message, members, field=field, n_classes=n_classes)
    except InvalidArgumentError as error:
        raise invalid(field, str(error)) from None


def _bags_of_kind(message: side_data_pb2.Bags, members: list[NDArray[Any]], *, field: str, n_classes: int) -> Bags:
    match message.kind:
        case side_data_pb2.BAG_KIND_CLASS_COUNTS:
            return bags.class_counts(_values(message, members, field=field, columns=n_classes), members)
        case side_data_pb2.BAG_KIND_PROPORTIONS:
            values = _values(message, members, field=field, columns=n_classes)
            return bags.proportions(values, members, tolerance=message.tolerance)
        case side_data_pb2.BAG_KIND_SAME_LABEL:
            return bags.same_label(members)
        case side_data_pb2.BAG_KIND_DIFFERENT_LABEL:
            return bags.different_label(members)
        case side_data_pb2.BAG_KIND_AT_LEAST_ONE | side_data_pb2.BAG_KIND_NONE_OF:
            labels = _values(message, members, field=field, columns=1)[:, 0]
            label = int(labels[0])
            if not (labels == label).all() or not 0 <= label < n_classes:
                raise invalid(f"{field}.values.data", f"one class, 0..{n_classes - 1}, for all bags of a message")
            make = bags.at_least_one if message.kind == side_data_pb2.BAG_KIND_AT_LEAST_ONE else bags.none_of
            return make(label, members)
        case _:
            raise invalid(f"{field}.kind", f"a kind of bag, got {message.kind}")


def _values(
    message: side_data_pb2.Bags, members: list[NDArray[Any]], *, field: str, columns: int
) -> NDArray[np.float32]:
    _check_rows(message.values, field=f"{field}.values", rows=len(members))
    return read_floats(message.values, field=f"{field}.values", columns=columns)

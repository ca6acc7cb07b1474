"""What users pass as side data, checked.

N items, K classes, D features, B bags.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs.chunks import id_bytes
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.side_values import (
    BagRows,
    Fields,
    Groups,
    Int64s,
    KnownSets,
    Matrix,
    SparseFeatures,
    Values,
)
from weaklabel_client._results.types import SideData
from weaklabel_protocol.alignment import read_rows
from weaklabel_protocol.arrays import Read, column_of, floats, is_number, is_sparse_matrix
from weaklabel_protocol.bags import Bags
from weaklabel_protocol.errors import InvalidArgumentError
from weaklabel_protocol.names import check_end, check_text, label_text, row_ids
from weaklabel_protocol.tensors import smallest_dtype
from weaklabel_protocol.v1 import side_data_pb2
from weaklabel_protocol.vote_objects import ABSTAIN, CandidateSet, Complement

KINDS = {
    "gold": side_data_pb2.SIDE_DATA_KIND_GOLD,
    "prior": side_data_pb2.SIDE_DATA_KIND_PRIOR,
    "groups": side_data_pb2.SIDE_DATA_KIND_GROUPS,
    "features": side_data_pb2.SIDE_DATA_KIND_FEATURES,
    "bags": side_data_pb2.SIDE_DATA_KIND_BAGS,
    "fields": side_data_pb2.SIDE_DATA_KIND_FIELDS,
    "gold_weight": side_data_pb2.SIDE_DATA_KIND_GOLD_WEIGHT,
    "labels": side_data_pb2.SIDE_DATA_KIND_LABELS,
}

_OF_SOME_ITEMS = ("gold", "gold_weight", "prior", "labels")

GoldSampling = Literal["auto", "random", "by_class"]
"""How items with gold were drawn: of all, or so many of each class."""


class SideBlock:
    """Rows of one kind, from which chunks are cut, with the ids of their items where they are named."""

    def __init__(self, values: Values, items: tuple[str, ...] | None) -> None:
        self.n_rows = values.n_rows
        self._values = values
        self._items = items

    @property
    def needs_classes(self) -> bool:
        """Whether the number of classes is wanted before chunks can be cut."""
        return isinstance(self._values, KnownSets) and self._values.needs_classes

    def resolve(self, n_classes: int) -> None:
        """Takes the number of classes, where it is wanted."""
        if isinstance(self._values, KnownSets):
            self._values.resolve(n_classes)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        return self._values.row_bytes(start, stop) + id_bytes(self._items, start, stop)

    def chunk(self, start: int, stop: int, row_offset: int) -> side_data_pb2.UploadSideDataChunk:
        chunk = side_data_pb2.UploadSideDataChunk(
            row_offset=row_offset, rows=stop - start, item_ids=self._items[start:stop] if self._items else ()
        )
        self._values.put(chunk.values, start, stop)
        return chunk

    def update(self, digest: "hashlib.blake2b") -> None:
        """Adds everything to a digest."""
        digest.update(repr(self._items).encode())
        self._values.update(digest)


def side_blocks(kind: str, values: Any, items: Iterable[str] | None) -> list[SideBlock]:
    """Checks side data of one kind, and the ids of its items.

    Raises:
        ValueError: It cannot be read; the message begins with the kind.
    """
    if kind not in KINDS:
        raise ValueError(f'kind: "{kind}" is none of {", ".join(KINDS)}')
    if kind == "bags":
        return [SideBlock(BagRows(bags), None) for bags in bag_list(values)]
    if isinstance(values, Mapping):
        if items is not None:
            raise ValueError(f"{kind}: its keys are ids of items already; give no items beside them")
        items, values = list(values), list(values.values())
    given = row_ids(values) if items is None else items
    ids = None if given is None else names(given, None, "items")
    checked = item_values(kind, values, ids)
    return [SideBlock(checked, None if ids is None else names(ids, checked.n_rows, "items"))]


def item_values(kind: str, values: Any, items: Sequence[str] | None = None) -> Values:
    """Checks side data of items: gold, its weights or labels [N], a prior [N, K], groups [N] or features [N, D].

    Args:
        kind: The kind.
        values: The data. What is missing in gold is unknown; in weights and a prior it is NaN. Gold may hold sets of
            classes, made by one_of and not_.
        items: Ids of the items, by which the rows of a pandas index are matched.

    Raises:
        ValueError: It cannot be read; the message begins with the kind.
    """
    if kind == "features" and is_sparse_matrix(values):
        checked: Values = SparseFeatures(values.tocsr(copy=True))
    elif kind == "fields":
        checked = Fields(_records(values))
    else:
        n_rows = len(items) if items is not None else len(values) if hasattr(values, "__len__") else 0
        read = read_rows(values, items, n_rows, kind, all_items=kind not in _OF_SOME_ITEMS)
        if kind == "groups":
            checked = Groups(_group_names(column_of(read)))
        elif kind == "gold":
            checked = _gold(column_of(read))
        elif kind == "labels":
            checked = Matrix(kind, _classes(kind, column_of(read)).reshape(-1, 1))
        else:
            checked = Matrix(kind, _float32(_numbers(kind, read)))
    if checked.n_rows == 0:
        raise ValueError(f"{kind}: there are no items")
    return checked


def _gold(read: Read) -> Values:
    """Known classes [N], -1 where unknown, and sets of classes among them."""
    sets: dict[int, CandidateSet | Complement] = {}
    if read.values.dtype.kind == "O" and read.values.ndim == 1:
        plain = read.values.copy()
        for at, value in enumerate(plain):
            if isinstance(value, CandidateSet | Complement):
                sets[at], plain[at] = value, ABSTAIN
        read = Read(plain, read.missing)
    classes = _classes("gold", read)
    return KnownSets(classes, sets) if sets else Matrix("gold", classes.reshape(-1, 1))


def _classes(kind: str, read: Read) -> npt.NDArray[Any]:
    """Classes [N], -1 where unknown."""
    numbers = read.values
    if numbers.dtype.kind == "O" and all(is_number(value) for value in read.filled(ABSTAIN).flat):
        numbers = floats(read, kind)
    array = Read(numbers, read.missing).filled(ABSTAIN) if numbers.dtype.kind in "iuf" else numbers
    if array.dtype.kind == "f" and (array == np.trunc(array)).all():
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        names_hint = "; of names, write their indices among the project's classes" if array.dtype.kind == "O" else ""
        raise ValueError(
            f"{kind}: classes [N] are expected, -1 where unknown; got {array.dtype} {array.shape}{names_hint}"
        )
    return array.astype(smallest_dtype(array))


def _numbers(kind: str, read: Read) -> npt.NDArray[Any]:
    """Numbers in two dimensions, NaN where they are missing."""
    expected = f"{kind}: numbers {'[N]' if kind == 'gold_weight' else 'in two dimensions'} are expected"
    try:
        array = floats(read, kind)
    except InvalidArgumentError as error:
        raise ValueError(f"{expected}; {error}") from None
    if kind == "gold_weight" and array.ndim == 1:
        array = array.reshape(-1, 1)
    kinds, hint = "fiub", ""
    if kind == "gold_weight":
        kinds = "fiu"
    elif kind == "features" and array.ndim == 1:
        hint = ": of one dimension write features.reshape(-1, 1)"
    if array.ndim != 2 or array.dtype.kind not in kinds or (kind == "gold_weight" and array.shape[1] != 1):
        raise ValueError(f"{expected}, got {read.values.dtype} {read.values.shape}{hint}")
    return array


def _float32(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # the server refuses what is not finite, and names its place
        return array.astype(np.float32, copy=False)


def bag_list(values: Any) -> list[Bags]:
    """Checks one declaration of bags, or a list of them.

    Raises:
        ValueError: It is neither.
    """
    listed = list(values) if isinstance(values, list | tuple) else [values]
    for bags in listed:
        if not isinstance(bags, Bags):
            raise ValueError(f"bags: expected is what class_counts, proportions, ... make, got {bags!r}")
    if not listed:
        raise ValueError("bags: there are none")
    return listed


class FitSideData(NamedTuple):
    """Side data of a fit: what is on the server, and what is to be uploaded first."""

    names: dict[str, str]
    """Names of side data by kind, filled up by the driver."""
    uploads: list[tuple[str, Any, tuple[str, ...] | None]]
    """Kind, values, and ids of the items, where the values do not hold these."""


def fit_side_data(items: Iterable[str] | None, **by_kind: Any) -> FitSideData:
    """Sorts the side data of a fit by whether it is uploaded already: named, or a result of an upload."""
    ids = None if items is None else tuple(items)
    side = FitSideData({}, [])
    for kind, values in by_kind.items():
        if isinstance(values, SideData):
            side.names[kind] = values.name
        elif isinstance(values, str):
            side.names[kind] = values
        elif values is not None:
            holds_ids = kind == "bags" or isinstance(values, Mapping)
            side.uploads.append((kind, values, None if holds_ids else ids))
    return side


def content_digest(kind: str, blocks: Iterable[SideBlock]) -> bytes:
    """A digest of everything that the server would store."""
    digest = hashlib.blake2b(kind.encode(), digest_size=32)
    for block in blocks:
        block.update(digest)
    return digest.digest()


def _records(values: Any) -> Iterable[Any]:
    """The rows of a data frame as mappings, or items as they are."""
    if hasattr(values, "to_dicts"):  # polars
        return list(values.to_dicts())
    if hasattr(values, "to_dict") and hasattr(values, "columns"):  # pandas
        return list(values.to_dict("records"))
    if isinstance(values, str):
        raise ValueError("fields: items are expected, mappings or texts, got one text")
    return list(values)


def _group_names(read: Read) -> list[str]:
    array = read.values
    if array.ndim != 1 or array.dtype.kind not in "iuO":
        raise ValueError(f"groups: names or numbers [N] are expected, got {array.dtype} {array.shape}")
    if (at := read.first_missing) is not None:
        raise ValueError(f"groups: item {at[0]} has none: give such items a group of their own")
    listed = [label_text(value) for value in array.tolist()]
    for place, value in enumerate(listed):
        check_text(f"groups: name {place}", value)
        check_end(f"groups: name {place}", value, "groups")
    return listed

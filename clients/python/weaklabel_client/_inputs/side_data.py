"""What users pass as side data, checked.

N items, K classes, D features, B bags.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs.chunks import id_bytes
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.side_values import BagRows, Fields, Groups, Int64s, Matrix, SparseFeatures, Values
from weaklabel_client._results.types import SideData
from weaklabel_protocol.bags import Bags
from weaklabel_protocol.names import check_text
from weaklabel_protocol.tensors import smallest_dtype
from weaklabel_protocol.v1 import side_data_pb2

KINDS = {
    "gold": side_data_pb2.SIDE_DATA_KIND_GOLD,
    "prior": side_data_pb2.SIDE_DATA_KIND_PRIOR,
    "groups": side_data_pb2.SIDE_DATA_KIND_GROUPS,
    "features": side_data_pb2.SIDE_DATA_KIND_FEATURES,
    "bags": side_data_pb2.SIDE_DATA_KIND_BAGS,
    "fields": side_data_pb2.SIDE_DATA_KIND_FIELDS,
    "gold_weight": side_data_pb2.SIDE_DATA_KIND_GOLD_WEIGHT,
}

GoldSampling = Literal["auto", "random", "by_class"]
"""How items with gold were drawn: of all, or so many of each class."""


class SideBlock:
    """Rows of one kind, from which chunks are cut, with the ids of their items where they are named."""

    def __init__(self, values: Values, items: tuple[str, ...] | None) -> None:
        self.n_rows = values.n_rows
        self._values = values
        self._items = items

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
    checked = item_values(kind, values)
    return [SideBlock(checked, None if items is None else names(items, checked.n_rows, "items"))]


def item_values(kind: str, values: Any) -> Values:
    """Checks side data of items: gold [N], its weights [N], a prior [N, K], groups [N] or features [N, D].

    Raises:
        ValueError: It cannot be read; the message begins with the kind.
    """
    if kind == "features" and hasattr(values, "tocsr"):
        checked: Values = SparseFeatures(values.tocsr(copy=True))
    elif kind == "groups":
        checked = Groups(_group_names(values))
    elif kind == "fields":
        checked = Fields(_records(values))
    else:
        array = np.asarray(values)
        if kind == "gold":
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise ValueError(f"gold: classes [N] are expected, -1 where unknown; got {array.dtype} {array.shape}")
            array = array.reshape(-1, 1)
            array = array.astype(smallest_dtype(array))
        elif kind == "gold_weight":
            if array.ndim != 1 or array.dtype.kind not in "fiu":
                raise ValueError(f"gold_weight: numbers [N] are expected, got {array.dtype} {array.shape}")
            array = _float32(array.reshape(-1, 1))
        elif array.ndim != 2 or array.dtype.kind not in "fiub":
            raise ValueError(f"{kind}: numbers in two dimensions are expected, got {array.dtype} {array.shape}")
        else:
            array = _float32(array)
        checked = Matrix(kind, array)
    if checked.n_rows == 0:
        raise ValueError(f"{kind}: there are no items")
    return checked


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


def _group_names(values: Any) -> list[str]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iuUO":
        raise ValueError(f"groups: names or numbers [N] are expected, got {array.dtype} {array.shape}")
    listed = [str(value) for value in array.tolist()]
    for place, value in enumerate(listed):
        check_text(f"groups: name {place}", value)
    return listed

"""Side data of one kind, of which rows are put into messages.

N items, K classes, D features, B bags.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs.chunks import id_bytes
from weaklabel_client._inputs.vote_list import VoteList
from weaklabel_client._results.codebook import FIRST, Codebook
from weaklabel_protocol.bags import Bags
from weaklabel_protocol.names import check_text
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import side_data_pb2
from weaklabel_protocol.vote_objects import CandidateSet, Complement, misfit

_BAG_KINDS: dict[str, side_data_pb2.BagKind] = {
    "class_counts": side_data_pb2.BAG_KIND_CLASS_COUNTS,
    "proportions": side_data_pb2.BAG_KIND_PROPORTIONS,
    "at_least_one": side_data_pb2.BAG_KIND_AT_LEAST_ONE,
    "none_of": side_data_pb2.BAG_KIND_NONE_OF,
    "same_label": side_data_pb2.BAG_KIND_SAME_LABEL,
    "different_label": side_data_pb2.BAG_KIND_DIFFERENT_LABEL,
}

Int64s = npt.NDArray[np.int64]


class Values(Protocol):
    """One kind of side data, of which rows can be put into messages."""

    n_rows: int

    def row_bytes(self, start: int, stop: int) -> Int64s:
        """Bytes that each of these rows takes in a message, [stop - start]."""
        ...

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        """Adds these rows to a message."""
        ...

    def update(self, digest: "hashlib.blake2b") -> None:
        """Adds everything to a digest."""
        ...


class Matrix:
    """Gold or its weights [N, 1], a prior [N, K] or dense features [N, D]."""

    def __init__(self, field: str, values: npt.NDArray[Any]) -> None:
        self.n_rows = len(values)
        self._field = field
        self._values = values

    def row_bytes(self, start: int, stop: int) -> Int64s:
        return np.full(stop - start, self._values.shape[1] * self._values.itemsize, np.int64)

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        getattr(message, self._field).CopyFrom(to_tensor(self._values[start:stop], self._values.dtype))

    def update(self, digest: "hashlib.blake2b") -> None:
        digest.update(f"{self._field} {self._values.dtype} {self._values.shape}".encode())
        digest.update(np.ascontiguousarray(self._values).data)


class KnownSets:
    """Gold [N] with sets of classes among it, which are numbered below -2 until they go into a message."""

    def __init__(self, classes: npt.NDArray[Any], sets: Mapping[int, CandidateSet | Complement]) -> None:
        """classes: [N] of the other items, -1 where unknown. sets: what is known of some items."""
        self.n_rows = len(classes)
        self._sets = sets
        self._symbols: Codebook | VoteList = VoteList()
        self._codes: npt.NDArray[np.integer[Any]] = classes.astype(np.int32)
        self._codes[list(sets)] = [self._symbols.code(one) for one in sets.values()]

    @property
    def needs_classes(self) -> bool:
        """Whether the number of classes is wanted, without which no set can be sent."""
        return isinstance(self._symbols, VoteList)

    def resolve(self, n_classes: int) -> None:
        """Takes the number of classes.

        Raises:
            ValueError: A set does not fit them; the message names the item.
        """
        for at, one in self._sets.items():
            if reason := misfit(one, n_classes):
                raise ValueError(f"gold: item {at}: {reason}")
        if isinstance(self._symbols, VoteList):
            self._codes, self._symbols = self._symbols.resolved(self._codes, n_classes)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        assert isinstance(self._symbols, Codebook)
        return 4 + self._symbols.entry_bytes * (self._codes[start:stop] <= FIRST).astype(np.int64)

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        assert isinstance(self._symbols, Codebook)
        labels, codebook = self._symbols.to_message(self._codes[start:stop].reshape(-1, 1))
        message.gold.CopyFrom(to_tensor(labels, labels.dtype))
        if codebook is not None:
            message.gold_codebook.CopyFrom(codebook)

    def update(self, digest: "hashlib.blake2b") -> None:
        digest.update(f"gold {[(type(one).__name__, one.classes) for one in self._sets.values()]}".encode())
        digest.update(np.ascontiguousarray(self._codes).data)


class Groups:
    """The group of each item."""

    def __init__(self, values: Sequence[str]) -> None:
        self.n_rows = len(values)
        self._values = np.asarray(values, object)
        self._bytes = np.array([len(value.encode()) + 8 for value in values], np.int64)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        return self._bytes[start:stop]

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        group_names, index = np.unique(self._values[start:stop], return_inverse=True)
        message.groups.names.extend(group_names.tolist())
        message.groups.indices.CopyFrom(to_tensor(index.reshape(-1, 1)))

    def update(self, digest: "hashlib.blake2b") -> None:
        digest.update("\0".join(["groups", *self._values.tolist()]).encode())


class SparseFeatures:
    """Features [N, D] in compressed sparse rows."""

    def __init__(self, matrix: Any) -> None:
        matrix.sum_duplicates()
        self.n_rows, self._columns = matrix.shape
        self._bounds = matrix.indptr.astype(np.int64)
        self._indices = matrix.indices.astype(np.int32)
        self._values = matrix.data.astype(np.float32)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        lengths: Int64s = np.diff(self._bounds[start : stop + 1])
        return (4 + 8 * lengths).astype(np.int64)

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        part = slice(self._bounds[start], self._bounds[stop])
        rows = message.sparse_features
        rows.columns = self._columns
        rows.lengths.CopyFrom(to_tensor(np.diff(self._bounds[start : stop + 1]).reshape(-1, 1), np.int32))
        rows.indices.CopyFrom(to_tensor(self._indices[part].reshape(-1, 1), np.int32))
        rows.values.CopyFrom(to_tensor(self._values[part].reshape(-1, 1), np.float32))

    def update(self, digest: "hashlib.blake2b") -> None:
        digest.update(f"sparse {self.n_rows} {self._columns}".encode())
        for array in (self._bounds, self._indices, self._values):
            digest.update(np.ascontiguousarray(array).data)


class BagRows:
    """Bags of one kind; a row is a bag. Bags without items are left out."""

    def __init__(self, bags: Bags) -> None:
        numbers, sizes = np.unique(bags.bag, return_counts=True)
        self.n_rows = len(numbers)
        if bags.ids is not None:
            bags = replace(bags, item=np.asarray(bags.ids, object)[bags.item])
        self._bags = bags
        self._numbers = numbers
        self._bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        items = self._bags.item
        size = id_bytes(items.tolist(), 0, len(items)) if items.dtype.kind == "O" else np.full(len(items), 4)
        total = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        sizes: Int64s = np.diff(total[self._bounds[start : stop + 1]]) + 4 + 4 * self._bags.values.shape[1]
        return sizes

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        items = self._bags.item[self._bounds[start] : self._bounds[stop]]
        values = self._bags.values[self._numbers[start:stop]]
        rows = message.bags
        rows.kind = _BAG_KINDS[self._bags.kind]
        rows.sizes.CopyFrom(to_tensor(np.diff(self._bounds[start : stop + 1]).reshape(-1, 1), np.int32))
        rows.tolerance = self._bags.tolerance
        if items.dtype.kind == "O":
            rows.item_ids.extend(items.tolist())
        else:
            rows.items.CopyFrom(to_tensor(items.reshape(-1, 1), np.int32))
        if values.shape[1]:
            rows.values.CopyFrom(to_tensor(values, np.float32))

    def update(self, digest: "hashlib.blake2b") -> None:
        digest.update(f"{self._bags.kind} {self._bags.tolerance} {self._bags.values.shape}".encode())
        digest.update("\0".join(map(str, self._bags.item.tolist())).encode())
        digest.update(np.ascontiguousarray(self._bags.bag).data)
        digest.update(np.ascontiguousarray(self._bags.values).data)


class Fields:
    """The texts of each item, by the names of its fields."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._rows = [_item_fields(value, place) for place, value in enumerate(values)]
        self.n_rows = len(self._rows)

    def row_bytes(self, start: int, stop: int) -> Int64s:
        return np.array([row.ByteSize() + 8 for row in self._rows[start:stop]], np.int64)

    def put(self, message: side_data_pb2.SideRows, start: int, stop: int) -> None:
        message.fields.items.extend(self._rows[start:stop])

    def update(self, digest: "hashlib.blake2b") -> None:
        for row in self._rows:
            content = row.SerializeToString(deterministic=True)
            digest.update(len(content).to_bytes(8, "little") + content)


def _item_fields(value: Any, place: int) -> side_data_pb2.ItemFields:
    """A mapping from names of fields to texts; numbers are written out, lists as JSON, and what is None left out."""
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"fields: item {place} is no mapping and no text, but {type(value).__name__}")
    texts = {}
    for name, cell in value.items():
        if cell is None or cell != cell:  # NaN differs from itself
            continue
        texts[str(name)] = json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | tuple) else str(cell)
        check_text(f"fields: {name} of item {place}", texts[str(name)])
    return side_data_pb2.ItemFields(values=texts)

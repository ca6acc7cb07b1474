"""Side data as tables: a row an item, or a bag; a row group for each chunk of the store."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from weaklabel.votes import ABSTAIN
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.project_folders import ProjectFolderError
from weaklabel_protocol.tensors import from_tensor, sets_from_tensor, to_tensor
from weaklabel_protocol.v1 import side_data_pb2, tensor_pb2
from weaklabel_server.messages.codebooks import write_codebook
from weaklabel_server.store.side_data import SideChunk, SideKind

_COLUMNS: dict[SideKind, list[tuple[str, pa.DataType]]] = {
    SideKind.GOLD: [("gold", pa.int32())],
    SideKind.PRIOR: [("prior", pa.list_(pa.float32()))],
    SideKind.GROUPS: [("group", pa.string())],
    # Of rows that are sparse, the columns of the numbers; else all columns.
    SideKind.FEATURES: [("columns", pa.list_(pa.int32())), ("features", pa.list_(pa.float32()))],
    SideKind.BAGS: [
        ("kind", pa.string()),
        ("items", pa.list_(pa.int32())),
        ("item_ids", pa.list_(pa.string())),
        ("values", pa.list_(pa.float32())),
        ("tolerance", pa.float64()),
    ],
    SideKind.FIELDS: [("fields", pa.map_(pa.string(), pa.string()))],
    SideKind.GOLD_WEIGHT: [("gold_weight", pa.float32())],
}
_BAG_KINDS = {
    number: name.removeprefix("BAG_KIND_").lower() for name, number in side_data_pb2.BagKind.items() if number
}
_BAG_NUMBERS = {name: number for number, name in _BAG_KINDS.items()}


def schema_of(kind: SideKind, *, named: bool) -> pa.Schema:
    """Names and types of the columns of side data; with `named`, ids come first."""
    ids = [("item", pa.string())] if named and kind is not SideKind.BAGS else []
    return pa.schema([*ids, *_COLUMNS[kind]])


def gold_symbols(contents: Iterable[bytes], n_classes: int) -> Symbols:
    """One codebook for all chunks of gold."""
    merged = Symbols.empty(n_classes)
    for content in contents:
        merged = _merged(merged, side_data_pb2.SideRows.FromString(content))[0]
    return merged


def _merged(symbols: Symbols, rows: side_data_pb2.SideRows) -> tuple[Symbols, NDArray[Any]]:
    """A codebook with what the gold of a chunk adds at its end, and the gold in its codes, [n]."""
    sets = rows.gold_codebook.candidate_sets
    own = sets_from_tensor(sets, symbols.n_classes) if rows.HasField("gold_codebook") else symbols.sets[:0]
    merged, (_, table) = Symbols.merge([symbols, Symbols(own, symbols.soft)])
    return merged, table[from_tensor(rows.gold)[:, 0]]


def to_table(schema: pa.Schema, kind: SideKind, chunk: SideChunk, symbols: Symbols | None = None) -> pa.Table:
    """A chunk of the store as a table; of gold, in the codes of its codebook."""
    rows = side_data_pb2.SideRows.FromString(chunk.content)
    columns = [] if "item" not in schema.names else [pa.array(chunk.item_ids, pa.string())]
    match kind:
        case SideKind.GOLD:
            assert symbols is not None
            columns.append(pa.array(_merged(symbols, rows)[1].astype(np.int32)))
        case SideKind.GOLD_WEIGHT:
            columns.append(pa.array(from_tensor(rows.gold_weight)[:, 0]))
        case SideKind.PRIOR:
            columns.append(_lists(rows.prior))
        case SideKind.GROUPS:
            names = np.array(rows.groups.names, object)
            columns.append(pa.array(names[from_tensor(rows.groups.indices)[:, 0]], pa.string()))
        case SideKind.FEATURES if rows.HasField("sparse_features"):
            sparse = rows.sparse_features
            offsets = np.concatenate([[0], np.cumsum(from_tensor(sparse.lengths)[:, 0])]).astype(np.int32)
            parts = (sparse.indices, sparse.values)
            columns += [pa.ListArray.from_arrays(offsets, pa.array(from_tensor(one)[:, 0])) for one in parts]
        case SideKind.FEATURES:
            columns += [pa.nulls(chunk.rows, pa.list_(pa.int32())), _lists(rows.features)]
        case SideKind.BAGS:
            columns += _bag_columns(rows.bags)
        case SideKind.FIELDS:
            columns.append(pa.array([sorted(one.values.items()) for one in rows.fields.items], _COLUMNS[kind][0][1]))
    return pa.Table.from_arrays(
        [one.cast(field.type) for one, field in zip(columns, schema, strict=True)], schema=schema
    )


def to_message(
    table: pa.Table, kind: SideKind, row_offset: int, column_count: int, where: str, symbols: Symbols | None = None
) -> side_data_pb2.UploadSideDataChunk:
    """A row group as a chunk of an upload, to be checked as one; of gold, with its codebook.

    Raises:
        ProjectFolderError: A value is missing, or rows have not the same length.
    """
    chunk = side_data_pb2.UploadSideDataChunk(row_offset=row_offset, rows=len(table))
    for name in table.schema.names:
        if name not in ("columns", "items", "item_ids", "values") and table.column(name).null_count:
            raise ProjectFolderError(f"{where}, column {name!r}: a value is missing")
    if "item" in table.schema.names:
        chunk.item_ids.extend(table.column("item").to_pylist())
    values = chunk.values
    match kind:
        case SideKind.GOLD:
            assert symbols is not None
            _put_gold(values, table.column("gold").to_numpy(), symbols, where)
        case SideKind.GOLD_WEIGHT:
            values.gold_weight.CopyFrom(_column(table.column("gold_weight").to_numpy()))
        case SideKind.PRIOR:
            values.prior.CopyFrom(to_tensor(_matrix(table, "prior", where), np.float32))
        case SideKind.GROUPS:
            names, index = np.unique(np.array(table.column("group").to_pylist(), object), return_inverse=True)
            values.groups.names.extend(names.tolist())
            values.groups.indices.CopyFrom(_column(index.astype(np.int32)))
        case SideKind.FEATURES:
            _put_features(table, values, column_count, where)
        case SideKind.BAGS:
            _put_bags(table, values.bags, where)
        case SideKind.FIELDS:
            for row in table.column("fields").to_pylist():
                values.fields.items.add(values={name: text or "" for name, text in row})
    return chunk


def _put_gold(values: side_data_pb2.SideRows, codes: NDArray[Any], symbols: Symbols, where: str) -> None:
    limit = symbols.n_classes + len(symbols)
    wrong = (codes < ABSTAIN) | (codes >= limit)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ProjectFolderError(f"{where}, column 'gold': row {row}: {codes[row]} is outside -1..{limit - 1}")
    used, of_used = symbols.only(codes)
    values.gold.CopyFrom(_column(of_used))
    if (codebook := write_codebook(used)) is not None:
        values.gold_codebook.CopyFrom(codebook)


def _lists(tensor: tensor_pb2.Tensor) -> pa.ListArray:
    matrix = from_tensor(tensor)
    offsets = np.arange(0, matrix.size + 1, max(matrix.shape[1], 1), dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(matrix).reshape(-1)))


def _column(array: NDArray[np.generic]) -> tensor_pb2.Tensor:
    return to_tensor(array.reshape(-1, 1))


def _flat(table: pa.Table, name: str, where: str) -> tuple[NDArray[np.generic], NDArray[np.int32]]:
    """The elements of a column of lists one after the other, and the length of each list."""
    column = table.column(name).combine_chunks()
    if column.null_count or column.flatten().null_count:
        raise ProjectFolderError(f"{where}, column {name!r}: a value is missing")
    lengths = np.diff(column.offsets.to_numpy()).astype(np.int32)
    return column.flatten().to_numpy(zero_copy_only=False), lengths


def _matrix(table: pa.Table, name: str, where: str) -> NDArray[np.float32]:
    flat, lengths = _flat(table, name, where)
    if len(lengths) and (lengths != lengths[0]).any():
        raise ProjectFolderError(f"{where}, column {name!r}: rows have not all {lengths[0]} numbers")
    return flat.astype(np.float32, copy=False).reshape(len(lengths), -1)


def _put_features(table: pa.Table, values: side_data_pb2.SideRows, column_count: int, where: str) -> None:
    if table.column("columns").null_count == len(table):
        values.features.CopyFrom(to_tensor(_matrix(table, "features", where), np.float32))
        return
    indices, lengths = _flat(table, "columns", where)
    numbers, of_numbers = _flat(table, "features", where)
    if not np.array_equal(lengths, of_numbers):
        raise ProjectFolderError(f"{where}: a row has not as many columns as features")
    sparse = values.sparse_features
    sparse.columns = column_count
    sparse.lengths.CopyFrom(to_tensor(lengths.reshape(-1, 1), np.int32))
    sparse.indices.CopyFrom(to_tensor(indices.astype(np.int32).reshape(-1, 1), np.int32))
    sparse.values.CopyFrom(to_tensor(numbers.astype(np.float32).reshape(-1, 1), np.float32))


def _bag_columns(bags: side_data_pb2.Bags) -> list[pa.Array]:
    sizes = from_tensor(bags.sizes)[:, 0]
    offsets, n_bags = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32), len(sizes)
    if bags.item_ids:
        items = pa.nulls(n_bags, pa.list_(pa.int32()))
        ids = pa.ListArray.from_arrays(offsets, pa.array(bags.item_ids, pa.string()))
    else:
        items = pa.ListArray.from_arrays(offsets, pa.array(from_tensor(bags.items)[:, 0].astype(np.int32)))
        ids = pa.nulls(n_bags, pa.list_(pa.string()))
    values = _lists(bags.values) if bags.HasField("values") else pa.nulls(n_bags, pa.list_(pa.float32()))
    kinds = pa.array([_BAG_KINDS[bags.kind]] * n_bags)
    return [kinds, items, ids, values, pa.array([bags.tolerance] * n_bags, pa.float64())]


def _put_bags(table: pa.Table, bags: side_data_pb2.Bags, where: str) -> None:
    kinds, tolerances = set(table.column("kind").to_pylist()), set(table.column("tolerance").to_pylist())
    if len(kinds) != 1 or len(tolerances) != 1 or not kinds <= _BAG_NUMBERS.keys():
        raise ProjectFolderError(f"{where}: its bags are of one kind ({', '.join(_BAG_NUMBERS)}) and tolerance")
    bags.kind = _BAG_NUMBERS[kinds.pop()]  # type: ignore[assignment]  # an enum is a number
    bags.tolerance = tolerances.pop()
    if table.column("item_ids").null_count < len(table):
        ids, sizes = _flat(table, "item_ids", where)
        bags.item_ids.extend(ids.tolist())
    else:
        items, sizes = _flat(table, "items", where)
        bags.items.CopyFrom(to_tensor(items.astype(np.int32).reshape(-1, 1), np.int32))
    bags.sizes.CopyFrom(to_tensor(sizes.reshape(-1, 1), np.int32))
    if table.column("values").null_count < len(table):
        bags.values.CopyFrom(to_tensor(_matrix(table, "values", where), np.float32))

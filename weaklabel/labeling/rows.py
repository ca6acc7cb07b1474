"""Reading data as items: one row object for every kind of table, anything else as it is."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sized
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes.validation import check_ids

# Datasets decode a batch at once, about a hundred times as fast as row by row; small, because cells may be pictures.
_DATASET_BATCH = 100


class Row(Mapping[Any, Any]):
    """A row of a table: `x.text` and `x["text"]` are the cell, `x["a b"]` where a column's name is no identifier.

    It is a mapping too: `dict(x)`, `"text" in x`, `template.format_map(x)`. A column whose name is that of a method
    of mappings ("items", "get", ...) hides the method. A preprocessor may set attributes: it has a copy of its own.
    """

    def __init__(self, cells: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        self.__dict__.update(cells)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __getitem__(self, column: Any) -> Any:
        return self.__dict__[column]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __repr__(self) -> str:
        return f"Row({self.__dict__!r})"


class Items(NamedTuple):
    """Data, read as items.

    Attributes:
        items: the items, to be gone through once.
        n_items: N, or None where the data does not know its length.
        ids: N ids that the data itself carries, or None.
    """

    items: Iterable[Any]
    n_items: int | None
    ids: list[Hashable] | None = None


def read_items(data: Any) -> Items:
    """Data of any kind that `apply` takes, as items.

    Raises:
        InvalidArgumentError: for data that is no collection of items, and tables whose columns repeat.
    """
    if _is_from("pyarrow", "RecordBatch", data):
        data = sys.modules["pyarrow"].Table.from_batches([data])
    if nw.dependencies.is_into_dataframe(data):
        return _read_frame(data)
    if _is_from("datasets", "Dataset", data) or _is_from("datasets", "IterableDataset", data):
        return Items(_dataset_rows(data), len(data) if isinstance(data, Sized) else None)
    if isinstance(data, (str, bytes, Mapping)):
        raise InvalidArgumentError(
            f"data must be a collection of items, got a {type(data).__name__}; "
            "of a dict of tables or splits, give one of them",
            field="data",
        )
    if not isinstance(data, Iterable):
        raise InvalidArgumentError(
            f"data must be a list, a table or another collection of items, got {type(data).__name__}; "
            "collect a lazy table first",
            field="data",
        )
    ids = _index_ids(data.index) if nw.dependencies.is_pandas_series(data) else None
    return Items(data, len(data) if isinstance(data, Sized) else None, ids)


def _is_from(module: str, name: str, data: Any) -> bool:
    """Whether data is of a class of an optional library, which is never imported here: its user has done so."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(data, kind)


def _read_frame(data: Any) -> Items:
    try:
        frame: nw.DataFrame[Any] = nw.from_native(data, eager_only=True)
        columns = frame.columns
    except nw.exceptions.DuplicateError as error:
        raise InvalidArgumentError(f"the table's columns repeat: {error}", field="data") from error
    index = nw.maybe_get_index(frame)
    rows = (Row(zip(columns, cells, strict=True)) for cells in frame.iter_rows())
    return Items(rows, len(frame), None if index is None else _index_ids(index))


def _dataset_rows(dataset: Any) -> Iterator[Row]:
    """The rows of a Hugging Face Dataset or IterableDataset."""
    batches: Iterable[dict[str, Any]] = dataset.iter(batch_size=_DATASET_BATCH)
    return chain.from_iterable(
        (Row(zip(batch, cells, strict=True)) for cells in zip(*batch.values(), strict=True)) for batch in batches
    )


def _index_ids(index: Any) -> list[Hashable] | None:
    """The ids in a pandas index; None for the default one, 0..N-1, which says no more than the position."""
    range_index = nw.dependencies.get_pandas().RangeIndex
    if isinstance(index, range_index) and index.start == 0 and index.step == 1:
        return None
    return list(index)


def read_ids(source: Items, items: Iterable[Hashable] | None) -> NDArray[np.str_] | None:
    """The ids of the items, those given or those of the data, checked before the run as far as it can be.

    Raises:
        InvalidArgumentError: for ids that repeat, or are more or fewer than the items.
    """
    if items is not None:
        return check_ids(items, source.n_items)
    try:
        return None if source.ids is None else check_ids(source.ids, source.n_items)
    except InvalidVotesError as error:
        raise InvalidArgumentError(
            f"the index of the data does not tell items apart: {error}. Give items=, or data.reset_index(drop=True)",
            field="data",
        ) from error

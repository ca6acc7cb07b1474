"""The one reader of arrays that people give: their values, and where there is none.

numpy, masked arrays included; pandas with its nullable, categorical and sparse dtypes; polars; pyarrow; whatever else
numpy can read, and lists of these. No library but numpy is imported: a value is known by what it can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.errors import InvalidArgumentError


class Read(NamedTuple):
    """An array, and where it holds no value: masked, None, NaN, NaT, `pandas.NA`, a null of polars or pyarrow."""

    values: NDArray[Any]
    """Numbers, True and False, or objects as they were given. Where a value is missing, anything."""
    missing: NDArray[np.bool_] | None
    """Of the same shape; None where no value is missing."""

    @property
    def first_missing(self) -> tuple[int, ...] | None:
        """Where the first value is missing."""
        return None if self.missing is None else tuple(int(at) for at in np.argwhere(self.missing)[0])

    def filled(self, value: Any) -> NDArray[Any]:
        """The values, and this one where they are missing."""
        if self.missing is None:
            return self.values
        dtype = self.values.dtype
        if dtype.kind == "u":  # which may not hold it
            dtype = np.result_type(dtype, np.int8)
        kept = self.values.astype(dtype)
        kept[self.missing] = value
        return kept


def read_array(values: Any, what: str, error: type[InvalidArgumentError] = InvalidArgumentError) -> Read:
    """Values of any kind as an array; no copy of a numpy array.

    Args:
        values: an array, a column, a table, or lists of them.
        what: the argument that it is given as; messages begin with it.
        error: what is raised.

    Raises:
        InvalidArgumentError: for what is no array; `field` is `what`.
    """
    if reason := _no_array(values):
        raise error(f"{what}: {reason}", field=what)
    try:
        read = _read(values)
    except ValueError as failure:
        raise error(f"ragged {what}: {_ragged_place(values, what) or failure}", field=what) from None
    except (TypeError, RuntimeError) as failure:
        message = f"{what}: a {type(values).__name__} cannot be read as an array: {failure}"
        raise error(message, field=what) from failure
    if read.missing is not None and not read.missing.any():
        return Read(read.values, None)
    return read


def floats(read: Read, what: str, error: type[InvalidArgumentError] = InvalidArgumentError) -> NDArray[Any]:
    """The values as floating point numbers, NaN where they are missing; whole numbers stay as they are where none is.

    Raises:
        InvalidArgumentError: for what is no number; the message names the first place.
    """
    array = read.values
    if array.dtype.kind in "biuf":
        if read.missing is None:
            return array
        return Read(array.astype(np.result_type(array.dtype, np.float32), copy=False), read.missing).filled(np.nan)
    numbers = np.full(array.shape, np.nan)
    for at, value in np.ndenumerate(array):
        if read.missing is None or not read.missing[at]:
            if not is_number(value):
                raise error(f"{what} must be numbers; {place_of(at)} is {value!r}", field=what)
            numbers[at] = value
    return numbers


def is_number(value: Any) -> bool:
    """Whether an object is a real number, which True and False are not."""
    return isinstance(value, (Real, Decimal)) and not isinstance(value, (bool, np.bool_))


def place_of(at: tuple[int, ...]) -> str:
    """A place of an array in words."""
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"entry {at[0] if len(at) == 1 else list(at)}"


def column_of(read: Read) -> Read:
    """A single column [N, 1] as [N]; anything else as it is."""
    if read.values.ndim != 2 or read.values.shape[1] != 1:
        return read
    return Read(read.values[:, 0], None if read.missing is None else read.missing[:, 0])


def is_missing(value: Any) -> bool:
    """Whether an object says that there is no value."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, (str, int)):
        return False
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:
        return True  # pandas.NA neither equals nor differs
    except ValueError:
        return False  # an array


def is_sparse_matrix(values: Any) -> bool:
    """Whether it is a sparse matrix of SciPy, of any format."""
    return hasattr(values, "tocsr") and hasattr(values, "nnz")


# ----------------------------------------------------------------------- kinds


def _no_array(values: Any) -> str | None:
    """Why it is no array, and what to write instead."""
    kind = type(values).__name__
    if isinstance(values, (str, bytes)):
        return f"an array is expected, got the text {values!r}"
    if isinstance(values, Mapping):
        return f"an array is expected, got a {kind}: give its values, or make a table of it"
    if isinstance(values, (Iterator, Set)) or callable(values):
        return f"an array is expected, got a {kind}: collect it first, as in list(...)"
    if is_sparse_matrix(values):
        return "an array is expected, got a sparse matrix: write matrix.toarray()"
    if hasattr(values, "collect") and not hasattr(values, "__array__"):
        return f"an array is expected, got a lazy table ({kind}): write table.collect()"
    names = getattr(getattr(values, "dtype", None), "names", None)
    if isinstance(names, tuple):
        return f"an array of numbers is expected, got records with the fields {', '.join(names)}: select one"
    return None


def _read(values: Any) -> Read:
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return _joined(_of_array(np.asarray(values.data), values.data), np.asarray(mask) if mask.any() else None)
    if isinstance(values, np.ndarray):
        return _of_array(values, values)
    if isinstance(values, (list, tuple)):
        return _of_list(values)
    if (columns := _columns(values)) is not None:
        return _of_columns(columns, len(values))
    if hasattr(values, "isna") and hasattr(values, "to_numpy"):
        return _of_pandas(values)
    if hasattr(values, "is_null") and hasattr(values, "null_count"):
        return _of_arrow(values) if hasattr(values, "to_pylist") else _of_polars(values)
    return _of_array(np.asarray(values), values)


def _of_array(array: NDArray[Any], given: Any) -> Read:
    """Of numpy's own; objects are kept as they were given, so that numpy makes no text of numbers and NaN."""
    if array.dtype.kind == "f":
        if array.dtype.itemsize < 4:
            array = array.astype(np.float32)  # half precision cannot hold the bounds that numbers are compared with
        missing = np.isnan(array)
        return Read(array, missing if missing.any() else None)
    if array.dtype.kind in "biu" or (array.dtype.kind == "c" and array is given):
        return Read(array, None)
    if array.dtype.kind == "V" and array.dtype.names is None:  # bfloat16 and the like
        return _of_array(array.astype(np.float32), given)
    if array.dtype.kind in "mM":  # of nanoseconds, numpy would make numbers
        objects = np.fromiter(array.flat, object, array.size).reshape(array.shape)
    else:
        objects = array if array.dtype.kind == "O" else np.asarray(given, dtype=object)
    found = np.fromiter((is_missing(value) for value in objects.flat), bool, objects.size)
    return Read(objects, found.reshape(objects.shape) if found.any() else None)


def _of_list(values: list[Any] | tuple[Any, ...]) -> Read:
    """Of lists: of numbers, or of arrays and columns, which numpy would read without what is missing."""
    if np.ma.core.MaskedConstant in set(map(type, values)):
        return _of_list([None if value is np.ma.masked else value for value in values])
    if not _holds_arrays(values):
        kinds = set(map(type, values))
        if str in kinds and not kinds & {list, tuple}:  # numpy would make all texts as long as the longest
            return _of_array(np.asarray(values, object), values)
        return _of_array(np.asarray(values), values)
    parts = [_read(value) for value in values]
    if len({part.values.shape for part in parts}) != 1:
        raise ValueError("the parts differ in shape")
    return _stacked(parts, 0)


def _holds_arrays(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether lists hold arrays or columns somewhere, or what is masked."""
    kinds = set(map(type, values))
    if any(hasattr(kind, "__array__") and not issubclass(kind, np.generic) for kind in kinds):
        return True
    return bool(kinds & {list, tuple}) and any(_holds_arrays(one) for one in values if isinstance(one, (list, tuple)))


def _columns(values: Any) -> list[Any] | None:
    """The columns of a table; None for anything else."""
    if hasattr(values, "iloc") and hasattr(values, "columns"):  # pandas
        return [values.iloc[:, at] for at in range(len(values.columns))]
    if hasattr(values, "get_columns"):  # polars
        return list(values.get_columns())
    if hasattr(values, "iter_columns"):  # narwhals
        return [column.to_native() for column in values.iter_columns()]
    if hasattr(values, "column_names") and hasattr(values, "columns"):  # pyarrow
        return list(values.columns)
    return None


def _of_columns(columns: list[Any], n_rows: int) -> Read:
    return _stacked([_read(column) for column in columns], 1) if columns else Read(np.empty((n_rows, 0)), None)


def _stacked(parts: list[Read], axis: int) -> Read:
    kinds = {part.values.dtype.kind for part in parts}
    objects = "O" in kinds or ("b" in kinds and len(kinds) > 1)  # numpy would make numbers of True and False
    values = np.stack([part.values.astype(object) if objects else part.values for part in parts], axis)
    if all(part.missing is None for part in parts):
        return Read(values, None)
    masks = [np.zeros(part.values.shape, bool) if part.missing is None else part.missing for part in parts]
    return Read(values, np.stack(masks, axis))


def _of_pandas(column: Any) -> Read:
    missing = np.asarray(column.isna(), bool)
    dtype = column.dtype
    if isinstance(dtype, np.dtype) or not missing.any():
        return _joined(_of_array(np.asarray(column), column), None)
    kind = getattr(dtype, "kind", "O")
    if kind in "biu" and not hasattr(dtype, "fill_value"):
        known = column.to_numpy(dtype={"b": "bool", "i": "int64", "u": "uint64"}[kind], na_value=0)
        return Read(np.asarray(known), missing)
    if kind == "f" and not hasattr(dtype, "fill_value"):
        return Read(np.asarray(column.to_numpy(dtype="float64", na_value=np.nan)), missing)
    return _joined(_of_array(np.asarray(column), column), missing)


def _of_polars(column: Any) -> Read:
    if not column.null_count():
        return _of_array(column.to_numpy(), column)
    missing = np.asarray(column.is_null().to_numpy(), bool)
    if column.dtype.is_integer():
        return Read(column.fill_null(0).to_numpy(), missing)
    return _joined(_of_array(column.to_numpy(), column.to_list()), missing)


def _of_arrow(column: Any) -> Read:
    dtype = str(column.type)
    if dtype.startswith("dictionary"):
        column = column.cast(column.type.value_type)
        dtype = str(column.type)
    plain = column.to_pylist
    if not column.null_count:
        array = np.asarray(column)
        return _of_array(array, array if array.dtype.kind in "biuf" else plain())
    missing = np.asarray(column.is_null())
    if dtype.startswith(("int", "uint")):
        return Read(np.asarray(column.fill_null(0)), missing)
    if dtype in ("float", "double", "halffloat"):
        return _joined(_of_array(np.asarray(column), column), missing)
    return Read(np.array(plain(), object), missing)


def _joined(read: Read, missing: NDArray[np.bool_] | None) -> Read:
    """The same, with more that is missing."""
    if missing is None:
        return read
    return Read(read.values, missing if read.missing is None else missing | read.missing)


def _ragged_place(rows: Any, what: str) -> str:
    """Where lists differ in shape; empty where that cannot be seen."""
    try:
        noun = "votes" if what == "votes" else "values"
        lengths = [f"{len(row)} {noun}" if hasattr(row, "__len__") else "no cells" for row in rows]
    except TypeError:
        return ""
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            return f"row 0 has {lengths[0]}, row {row} has {length}"
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells if hasattr(cells, "__iter__") else ()):
            if hasattr(cell, "__len__") and not isinstance(cell, str):
                return f"row {row}, column {column} is {cell!r}"
    return "the rows differ in shape"

"""Results as tables of pandas, polars and Arrow; each package is imported when it is asked for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Columns = Mapping[str, Any]
"""Arrays or lists of one length, by the name of the column."""


class Tabular(ABC):
    """A result that is a table, too: one row per item or source, whose names are the first column."""

    @abstractmethod
    def _columns(self, classes: Sequence[str] | None) -> Columns: ...

    def to_pandas(self, classes: Sequence[str] | None = None) -> "pd.DataFrame":
        """As a pandas DataFrame, whose index is the first column.

        Args:
            classes: Names of the K classes, for columns by class; indices by default.

        Raises:
            ImportError: pandas is not installed.
        """
        columns = dict(self._columns(classes))
        first = next(iter(columns))
        frame: pd.DataFrame = _package("pandas").DataFrame(columns)
        return frame.set_index(first)

    def to_polars(self, classes: Sequence[str] | None = None) -> "pl.DataFrame":
        """As a polars DataFrame; classes as in to_pandas.

        Raises:
            ImportError: polars is not installed.
        """
        frame: pl.DataFrame = _package("polars").DataFrame(dict(self._columns(classes)))
        return frame

    def to_arrow(self, classes: Sequence[str] | None = None) -> "pa.Table":
        """As a table of Arrow; classes as in to_pandas.

        Raises:
            ImportError: pyarrow is not installed.
        """
        table: pa.Table = _package("pyarrow").table(dict(self._columns(classes)))
        return table


class Framed(ABC):
    """A result that is a table, too, with the columns of the library's."""

    @abstractmethod
    def _columns(self) -> Columns: ...

    def to_pandas(self) -> "pd.DataFrame":
        """As a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self._columns())

    def to_polars(self) -> "pl.DataFrame":
        """As a polars DataFrame.

        Raises:
            ImportError: polars is not installed.
        """
        frame: pl.DataFrame = _package("polars").DataFrame(dict(self._columns()))
        return frame

    def to_arrow(self) -> "pa.Table":
        """As a table of Arrow.

        Raises:
            ImportError: pyarrow is not installed.
        """
        table: pa.Table = _package("pyarrow").table(dict(self._columns()))
        return table


def data_frame(columns: Columns) -> "pd.DataFrame":
    """Columns as a pandas DataFrame.

    Raises:
        ImportError: pandas is not installed.
    """
    frame: pd.DataFrame = _package("pandas").DataFrame(dict(columns))
    return frame


def class_titles(classes: Sequence[str] | None, n_classes: int, what: str) -> list[str]:
    """K titles of columns: "probability_spam", or "probability_1" where classes have no names.

    Raises:
        ValueError: There are not K names.
    """
    named = [str(k) for k in range(n_classes)] if classes is None else list(classes)
    if len(named) != n_classes:
        raise ValueError(f"classes: there are {len(named)} names for {n_classes} classes")
    return [f"{what}_{name}" for name in named]


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} is not installed: pip install {name}", name=name) from error

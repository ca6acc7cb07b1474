"""Appliers by the names of Snorkel: functions over data, a matrix of votes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import labeling
from weaklabel.adapters.snorkel.functions import from_snorkel
from weaklabel.errors import InvalidArgumentError


class ApplierMetadata(NamedTuple):
    """What came to pass in a run."""

    faults: dict[str, int]
    """Number of items on which a function raised, by its name; those that never did are left out."""


class LFApplier:
    """Labeling functions over items of any kind.

    Args:
        lfs: labeling functions, of this module, of weaklabel, or of Snorkel itself, with distinct names.

    Raises:
        InvalidArgumentError: for what is no labeling function, and names that repeat.
    """

    def __init__(self, lfs: Sequence[Any]) -> None:
        self._lfs = from_snorkel(lfs)
        name, count = Counter(one.name for one in self._lfs).most_common(1)[0] if self._lfs else ("", 2)
        if count > 1:
            what = f"{count} functions are called {name!r}" if self._lfs else "there are none"
            raise InvalidArgumentError(f"lfs must be functions with distinct names: {what}", field="lfs")

    def apply(
        self,
        data_points: Iterable[Any],
        progress_bar: bool = True,
        fault_tolerant: bool = False,
        return_meta: bool = False,
    ) -> Any:
        """Calls each function on each item.

        Args:
            data_points: N items.
            progress_bar: show one on stderr.
            fault_tolerant: go on where a function raises; its vote is -1, a warning says how often.
            return_meta: return `ApplierMetadata` too.

        Returns:
            [N, M] integers, -1 for an abstain; or (votes, metadata).

        Raises:
            LabelingFunctionError: where a function raises, unless `fault_tolerant`; its own exception is the cause.
        """
        return self._apply(data_points, progress_bar, fault_tolerant, return_meta)

    def _apply(self, data: Any, progress_bar: bool, fault_tolerant: bool, return_meta: bool) -> Any:
        votes = labeling.apply(self._lfs, data, progress=progress_bar, on_error="record" if fault_tolerant else "raise")
        matrix = self._result(votes.to_dense().astype(np.int64))
        faults = {name: n for name, n in zip(votes.source_names, votes.errors.tolist(), strict=True) if n}
        return (matrix, ApplierMetadata(faults)) if return_meta else matrix

    def _result(self, matrix: NDArray[np.int64]) -> Any:
        return matrix

    def __repr__(self) -> str:
        return f"{type(self).__name__}, LFs: {[one.name for one in self._lfs]}"


class PandasLFApplier(LFApplier):
    """Labeling functions over a pandas DataFrame: `x.text` and `x["text"]` are the cells of a row.

    Its index is not read: rows go by position, as in Snorkel.
    """

    def apply(self, df: Any, progress_bar: bool = True, fault_tolerant: bool = False, return_meta: bool = False) -> Any:
        """As `LFApplier.apply`, over the rows of a frame."""
        if not hasattr(df, "reset_index"):
            raise InvalidArgumentError(
                f"df must be a pandas DataFrame, got a {type(df).__name__}: LFApplier takes other data", field="df"
            )
        return self._apply(df.reset_index(drop=True), progress_bar, fault_tolerant, return_meta)


class SFApplier(LFApplier):
    """Slicing functions over items of any kind: a record array out, a field a slice."""

    def _result(self, matrix: NDArray[np.int64]) -> Any:
        return _record_array(matrix, [one.name for one in self._lfs])


class PandasSFApplier(PandasLFApplier):
    """Slicing functions over a pandas DataFrame: a record array out, a field a slice."""

    def _result(self, matrix: NDArray[np.int64]) -> Any:
        return _record_array(matrix, [one.name for one in self._lfs])


def _record_array(matrix: NDArray[np.int64], names: Sequence[str]) -> Any:
    found = np.recarray(len(matrix), dtype=[(name, np.int64) for name in names])
    for at, name in enumerate(names):
        found[name] = matrix[:, at]
    return found


def slice_dataframe(df: Any, slicing_function: Callable[[Any], Any]) -> Any:
    """The rows of a pandas DataFrame that are in a slice.

    Args:
        df: a DataFrame.
        slicing_function: made by `slicing_function`.
    """
    member = PandasSFApplier([slicing_function]).apply(df, progress_bar=False)
    return df[np.asarray(member[member.dtype.names[0]]) == 1]

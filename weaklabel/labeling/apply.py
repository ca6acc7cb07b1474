"""Labeling functions over data: `apply`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import closing
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import processes, serial
from weaklabel.labeling.evaluate import Evaluator
from weaklabel.labeling.failures import Failure, LabelingFunctionWarning
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import read_items
from weaklabel.votes import ERROR, Codes, Votes


def apply(
    functions: Sequence[LabelingFunction],
    data: Any,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool = True,
    n_jobs: int = 1,
    on_error: Literal["record", "raise"] = "record",
    on_failure: Callable[[Failure], object] | None = None,
) -> Votes:
    """Call every labeling function on every item, and return the votes.

    A function that raises, or returns anything but a class index, ABSTAIN or None, has failed on that item: the vote is
    an error, which is counted apart from abstains (`Votes.errors`), and the run goes on. At the end one
    LabelingFunctionWarning a function tells how often it failed, and shows its first traceback.

    Args:
        functions: M labeling functions with distinct names.
        data: N items. A pandas or polars DataFrame, a pyarrow Table or RecordBatch, or a Hugging Face Dataset is read
            as rows, where `x.text` and `x["text"]` are the cell of a column; missing cells are what the table holds,
            None or NaN. The items of anything else that can be gone through are passed as they are.
        n_classes: K. Where it is not given it is one more than the largest label voted, and at least 2: give it
            wherever it is known, since then labels out of range are found, and the answer does not hang on the data.
        items: N distinct ids. Where they are not given, those of a pandas index, unless it is the default one.
        progress: show a progress bar on stderr, with items, rate and errors.
        n_jobs: number of processes; -1 for all cores. The votes are the same for any number. Functions and items are
            pickled, so functions must stand at the top level of a module. Every process imports the script that
            runs, so a script must call this under `if __name__ == "__main__":`.
        on_error: "raise" stops at the first failure.
        on_failure: called with every failure in the order of items, for instance `failures.append`.

    Returns:
        Votes of shape [N, M], with the names of the functions as sources.

    Raises:
        LabelingFunctionError: at the first failure, if on_error is "raise"; caused by the function's own exception.
            And if a worker process dies.
        InvalidArgumentError: for functions that are not labeling functions or, with n_jobs, cannot be pickled; data
            that is no collection; ids or names that repeat; ids that are more or fewer than the items.
    """
    names = _names(functions)
    if n_classes is not None:
        n_classes = _check.count(n_classes, "n_classes", 2)
    if on_error not in ("record", "raise"):
        raise InvalidArgumentError(f'on_error must be "record" or "raise", got {on_error!r}', field="on_error")
    n_jobs = processes.count_jobs(n_jobs)
    source = read_items(data)
    ids = _ids(source, items)

    settings: dict[str, Any] = {
        "n_classes": n_classes,
        "stop_at_errors": on_error == "raise",
        "keep_failures": on_failure is not None,
    }
    if n_jobs == 1:
        parts = serial.run(Evaluator(functions, **settings), source.items)
    else:
        parts = processes.run(functions, source.items, n_jobs=n_jobs, n_items=source.n_items, **settings)
    first_failures: dict[str, Failure] = {}
    blocks: list[Codes] = []
    with closing(parts), tqdm(total=source.n_items, unit=" items", disable=not progress) as bar:
        for codes, failures in _with_ids(parts, ids):
            blocks.append(codes)
            for failure in failures:
                first_failures.setdefault(failure.function, failure)
                if on_failure is not None:
                    on_failure(failure)
            _advance(bar, codes)

    matrix = np.concatenate(blocks) if blocks else np.empty((0, len(names)), np.int8)
    if n_classes is None:
        n_classes = max(int(matrix.max(initial=0)) + 1, 2)
    votes = Votes.from_codes(matrix, n_classes, sources=names, items=ids)
    for name, count in zip(names, votes.errors.tolist(), strict=True):
        if count:
            _warn(first_failures[name], count, votes.n_items)
    return votes


def _names(functions: Sequence[LabelingFunction]) -> tuple[str, ...]:
    if isinstance(functions, LabelingFunction) or not isinstance(functions, Sequence):
        raise InvalidArgumentError("functions must be a list of labeling functions", field="functions")
    if not functions:
        raise InvalidArgumentError("no labeling functions are given", field="functions")
    for function in functions:
        if not isinstance(function, LabelingFunction):
            raise InvalidArgumentError(
                f"{function!r} is not a labeling function; decorate it with @labeling_function", field="functions"
            )
    return _check.source_names([function.name for function in functions], len(functions))


def _ids(source: Items, items: Iterable[Hashable] | None) -> NDArray[np.str_] | None:
    """The ids of the items, those given or those of the data, checked before the run as far as it can be."""
    if items is not None:
        given = items if isinstance(items, Sized) else list(items)
        return _check.item_ids(given, len(given) if source.n_items is None else source.n_items)
    try:
        return None if source.ids is None else _check.item_ids(source.ids, len(source.ids))
    except InvalidVotesError as error:
        raise InvalidArgumentError(
            f"the index of the data does not tell its items apart: {error}. Give items=, or data.reset_index(drop=True)",
            field="data",
        ) from error


def _with_ids(parts: Iterable[Part], ids: NDArray[np.str_] | None) -> Iterator[Part]:
    """The parts of the run, with the ids of the items in its failures."""

    def named(failure: Failure) -> Failure:
        # Ids given with data of unknown length may be too few, which is refused when the data ends.
        known = ids is not None and failure.item < len(ids)
        return replace(failure, item_id=str(ids[failure.item])) if ids is not None and known else failure

    try:
        for codes, failures in parts:
            yield Part(codes, [named(failure) for failure in failures])
    except StoppedError as stop:
        raise LabelingFunctionError(str(named(stop.failure))) from stop.__cause__


def _advance(bar: tqdm[NoReturn], codes: Codes) -> None:
    bar.n_errors = getattr(bar, "n_errors", 0) + int(np.count_nonzero(codes == ERROR))


def _warn(failure: Failure, count: int, n_items: int) -> None:
    warnings.warn(
        f"labeling function {failure.function!r} failed on {count:,} of {n_items:,} items; "
        f"these votes are errors, not abstains. The first was {failure.place}:\n{failure.traceback}",
        LabelingFunctionWarning,
        stacklevel=3,
    )

"""Labeling functions over data: `apply`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from weaklabel._check import check_count, check_ids, check_names
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, LabelingFunctionError
from weaklabel.labeling import processes, serial
from weaklabel.labeling.evaluate import Evaluator, Part
from weaklabel.labeling.failures import Failure, LabelingFunctionWarning, StoppedError
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import Items, read_items
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
        items: N distinct ids. Where they are not given, those of a pandas index, unless it is the default one; an
            index that repeats, as that of tables put together, is refused: reset it, or give ids.
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
        n_classes = check_count(n_classes, "n_classes", 2)
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
    with closing(parts), tqdm(total=source.n_items, unit=" items", disable=not progress) as bar:
        blocks, first_failures = _collect(parts, ids, bar, on_failure)

    matrix = np.concatenate(blocks) if blocks else np.empty((0, len(names)), np.int8)
    if n_classes is None:
        n_classes = max(int(matrix.max(initial=0)) + 1, 2)
    votes = Votes.from_codes(matrix, n_classes, sources=names, items=ids)
    _warn(votes, first_failures)
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
    return check_names([function.name for function in functions], len(functions))


def _ids(source: Items, items: Iterable[Hashable] | None) -> NDArray[np.str_] | None:
    """The ids of the items, those given or those of the data, checked before the run as far as it can be."""
    if items is not None:
        return check_ids(items, source.n_items)
    try:
        return None if source.ids is None else check_ids(source.ids, source.n_items)
    except InvalidVotesError as error:
        raise InvalidArgumentError(
            f"the index of the data does not tell items apart: {error}. Give items=, or data.reset_index(drop=True)",
            field="data",
        ) from error


def _collect(
    parts: Iterable[Part], ids: NDArray[np.str_] | None, bar: Any, on_failure: Callable[[Failure], object] | None
) -> tuple[list[Codes], dict[str, Failure]]:
    """Go through the run: its votes, a block a part, and the first failure of every function that failed."""
    blocks: list[Codes] = []
    first_failures: dict[str, Failure] = {}
    n_errors = 0
    try:
        for codes, failures in parts:
            blocks.append(codes)
            for failure in failures:
                named = _named(failure, ids)
                first_failures.setdefault(named.function, named)
                if on_failure is not None:
                    on_failure(named)
            if failures or n_errors:
                n_errors += int(np.count_nonzero(codes == ERROR))
                bar.set_postfix(errors=n_errors, refresh=False)
            bar.update(len(codes))
    except StoppedError as stop:
        raise LabelingFunctionError(str(_named(stop.failure, ids))) from stop.__cause__
    return blocks, first_failures


def _named(failure: Failure, ids: NDArray[np.str_] | None) -> Failure:
    # Ids given beside data of unknown length may be too few, which is refused when the data ends.
    return failure if ids is None or failure.item >= len(ids) else replace(failure, item_id=str(ids[failure.item]))


def _warn(votes: Votes, first_failures: Mapping[str, Failure]) -> None:
    for name, count in zip(votes.source_names, votes.errors.tolist(), strict=True):
        if count:
            failure = first_failures[name]
            warnings.warn(
                f"labeling function {name!r} failed on {count:,} of {votes.n_items:,} items; these votes are errors, "
                f"not abstains. The first was {failure.place}:\n{failure.traceback}",
                LabelingFunctionWarning,
                stacklevel=3,
            )

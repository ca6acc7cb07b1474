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
    _check_functions(functions)
    if on_error not in ("record", "raise"):
        raise InvalidArgumentError(f'on_error must be "record" or "raise", got {on_error!r}', field="on_error")
    n_jobs = processes.count_jobs(n_jobs)
    source = read_items(data)
    names = [function.name for function in functions]
    ids = source.ids if items is None else list(items)
    # What Votes would refuse after the run is refused before it.
    Votes.from_dense(np.empty((0, len(names)), np.int8), 2 if n_classes is None else n_classes, sources=names)
    if ids is not None:
        Votes.from_dense(np.empty((len(ids) if source.n_items is None else source.n_items, 0), np.int8), 2, items=ids)

    settings: dict[str, Any] = {
        "n_classes": n_classes,
        "stop_at_errors": on_error == "raise",
        "keep_failures": on_failure is not None,
    }
    if n_jobs == 1:
        parts = serial.run(Evaluator(functions, **settings), source.items)
    else:
        parts = processes.run(functions, source.items, n_jobs=n_jobs, n_items=source.n_items, **settings)

    blocks: list[Codes] = []
    first_failures: dict[str, Failure] = {}
    n_errors = 0
    with closing(parts), tqdm(total=source.n_items, unit=" items", disable=not progress) as bar:
        for codes, failures in parts:
            blocks.append(codes)
            for failure in failures:
                first_failures.setdefault(failure.function, failure)
                if on_failure is not None:
                    on_failure(failure)
            if failures or n_errors:
                n_errors += int(np.count_nonzero(codes == ERROR))
                bar.set_postfix(errors=n_errors, refresh=False)
            bar.update(len(codes))

    matrix = np.concatenate(blocks) if blocks else np.empty((0, len(names)), np.int8)
    if n_classes is None:
        n_classes = max(int(matrix.max(initial=0)) + 1, 2)
    votes = Votes.from_codes(matrix, n_classes, sources=names, items=ids)
    for name, count in zip(names, votes.errors.tolist(), strict=True):
        if count:
            _warn(first_failures[name], count, votes)
    return votes


def _check_functions(functions: Sequence[LabelingFunction]) -> None:
    if isinstance(functions, LabelingFunction) or not isinstance(functions, Sequence):
        raise InvalidArgumentError("functions must be a list of labeling functions", field="functions")
    if not functions:
        raise InvalidArgumentError("no labeling functions are given", field="functions")
    for function in functions:
        if not isinstance(function, LabelingFunction):
            raise InvalidArgumentError(
                f"{function!r} is not a labeling function; decorate it with @labeling_function", field="functions"
            )


def _warn(failure: Failure, count: int, votes: Votes) -> None:
    named = "" if votes.item_ids is None else f" ({str(votes.item_ids[failure.item])!r})"
    warnings.warn(
        f"labeling function {failure.function!r} failed on {count:,} of {votes.n_items:,} items; "
        f"these votes are errors, not abstains. The first was item {failure.item}{named}:\n{failure.traceback}",
        LabelingFunctionWarning,
        stacklevel=3,
    )

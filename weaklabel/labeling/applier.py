"""Labeling functions over data: `apply`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling.evaluate import FIRST_SYMBOL, Evaluator, Part, Setting
from weaklabel.labeling.executors import clusters, processes, serial
from weaklabel.labeling.failures import Failure, StoppedError, warn_of_function
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import Items, read_ids, read_items
from weaklabel.labeling.sources import DataEngine, DataSource, SpanSource, default_engine, source_names
from weaklabel.votes import ERROR, Codes, Votes
from weaklabel.votes.codebook import least_classes, misfit
from weaklabel.votes.symbols import ImpreciseVote
from weaklabel.votes.validation import check_count, check_names


def apply(
    functions: Sequence[LabelingFunction | DataSource],
    data: Any,
    *,
    n_classes: int | None = None,
    items: Iterable[Hashable] | None = None,
    progress: bool = True,
    n_jobs: int = 1,
    on_error: Literal["record", "raise"] = "record",
    on_failure: Callable[[Failure], object] | None = None,
    engine: DataEngine | Literal["ray", "spark"] | None = None,
) -> Votes:
    """Call every labeling function on every item, and return the votes.

    A function that raises, or returns anything but a class index, a vote object (`one_of`, `not_`, `soft`), ABSTAIN or
    None, has failed on that item: the vote is an error, which is counted apart from abstains (`Votes.errors`), and the
    run goes on. At the end one LabelingFunctionWarning a function tells how often it failed, and shows its first
    traceback.

    Args:
        functions: M labeling functions with distinct names. Sources that vote on all items at once, as prompts do
            (`weaklabel.prompts`), may be among them; they are asked after the functions have been called.
        data: N items. A pandas or polars DataFrame, a pyarrow Table or RecordBatch, or a Hugging Face Dataset is read
            as rows, where `x.text` and `x["text"]` are the cell of a column; missing cells are what the table holds,
            None or NaN. The items of anything else that can be gone through are passed as they are. With engines of
            that name, a Ray Dataset or a Spark DataFrame, whose rows stay where they are.
        n_classes: K. Where it is not given it is the smallest that fits all votes, and at least 2: give it wherever it
            is known, since then votes out of range are found, and the answer does not hang on the data.
        items: N distinct ids. Where they are not given, those of a pandas index, unless it is the default one; an
            index that repeats, as that of tables put together, is refused: reset it, or give ids.
        progress: show a progress bar on stderr, with items, rate and errors.
        n_jobs: number of processes; -1 for all cores. The votes are the same for any number. Functions and items are
            pickled, so functions must stand at the top level of a module. Every process imports the script that
            runs, so a script must call this under `if __name__ == "__main__":`.
        on_error: "raise" stops at the first failure.
        on_failure: called with every failure in the order of items, for instance `failures.append`; then with those of
            sources that vote on all items at once.
        engine: "ray" or "spark" runs functions in the workers of Ray Data or of Spark, which have weaklabel installed;
            see docs/scale.md. Or what runs sources that vote on all items at once, as a `PromptEngine`; their own
            default where not given.

    Returns:
        Votes of shape [N, M], with the names of the functions as sources.

    Raises:
        LabelingFunctionError: at the first failure, if on_error is "raise"; caused by the function's own exception.
            And if a worker process dies.
        MissingExtraError: if Ray or Spark is asked for, and is not installed.
        InvalidArgumentError: for functions that are not labeling functions or cannot be pickled to be sent to other
            processes; an engine beside n_jobs, or one that does not fit the data; data that is no collection;
            ids or names that repeat; ids that are more or fewer than the items; soft votes over other numbers of
            classes than the rest of the votes, where n_classes is not given.
    """
    names = _names(functions)
    if n_classes is not None:
        n_classes = check_count(n_classes, "n_classes", 2)
    if on_error not in ("record", "raise"):
        raise InvalidArgumentError(f'on_error must be "record" or "raise", got {on_error!r}', field="on_error")
    n_jobs = processes.count_jobs(n_jobs)
    cluster = clusters.named(engine, data, n_jobs)
    source = read_items(data) if cluster is None else cluster.read(data)
    ids = read_ids(source, items)

    rules = [function for function in functions if isinstance(function, LabelingFunction)]
    sources = [function for function in functions if not isinstance(function, LabelingFunction)]
    whole: DataEngine | None = None if isinstance(engine, str) else engine
    kept: list[Any] = []
    if sources:
        clusters.refuse_to_gather(cluster, data, sources[0].name)
        kept = list(source.items)  # they are gone through twice
        source = source._replace(items=kept, n_items=len(kept))
        whole = whole or default_engine(sources[0])  # refused before anything is called
    run = _Run(
        source=source,
        ids=ids,
        cluster=cluster,
        n_jobs=n_jobs,
        setting=Setting(n_classes, stop_at_errors=on_error == "raise", keep_failures=on_failure is not None),
        progress=progress,
        on_failure=on_failure,
    )
    votes, first_failures = _apply_rules(run, rules, max((one.least_classes for one in sources), default=0))
    if whole is not None and sources:
        answered, failures = whole.answer(sources, kept, n_classes=votes.n_classes, progress=progress)
        _note(failures, ids, first_failures, on_failure, stop=on_error == "raise")
        votes = Votes.concatenate_sources([votes, answered]).select_sources(names)
    _warn(votes, first_failures)
    return votes


class _Run(NamedTuple):
    """What is asked of a run."""

    source: Items
    ids: NDArray[np.str_] | None
    cluster: clusters.Cluster | None
    """None in this process, and in others of this machine."""
    n_jobs: int
    setting: Setting
    progress: bool
    on_failure: Callable[[Failure], object] | None


def _apply_rules(run: _Run, rules: Sequence[LabelingFunction], least_classes: int) -> tuple[Votes, dict[str, Failure]]:
    """The votes of functions that look at one item at a time, and the first failure of each that failed."""
    source, n_classes, settings = run.source, run.setting.n_classes, run.setting._asdict()
    if run.cluster is not None and rules:
        parts = run.cluster.run(rules, source, run.setting)
    elif run.n_jobs == 1 or not rules:
        parts = serial.run(Evaluator(rules, **settings), source.items)
    else:
        parts = processes.run(rules, source.items, n_jobs=run.n_jobs, n_items=source.n_items, **settings)
    with closing(parts), tqdm(total=source.n_items, unit=" items", disable=not run.progress or not rules) as bar:
        blocks, symbols, first_failures = _collect(parts, run.ids, bar, run.on_failure)
    matrix = np.concatenate(blocks) if blocks else np.empty((0, len(rules)), np.int8)
    if n_classes is None:
        n_classes = max(_count_classes(matrix, symbols), least_classes)
    if symbols:
        matrix = np.where(matrix <= FIRST_SYMBOL, n_classes + (FIRST_SYMBOL - matrix), matrix)
    names = [rule.name for rule in rules]
    return Votes.from_codes(matrix, n_classes, symbols=symbols, sources=names, items=run.ids), first_failures


def _names(functions: Sequence[LabelingFunction | DataSource]) -> tuple[str, ...]:
    if isinstance(functions, LabelingFunction | DataSource) or not isinstance(functions, Sequence):
        raise InvalidArgumentError("functions must be a list of labeling functions", field="functions")
    if not functions:
        raise InvalidArgumentError("no labeling functions are given", field="functions")
    for function in functions:
        if isinstance(function, SpanSource):
            raise InvalidArgumentError(
                f"{function.name!r} finds spans, which are no votes for a class: "
                "weaklabel.kinds.sequences.apply_spans takes it",
                field="functions",
            )
        if not isinstance(function, LabelingFunction | DataSource):
            raise InvalidArgumentError(
                f"{function!r} is not a labeling function; decorate it with @labeling_function", field="functions"
            )
    names = [name for function in functions for name in source_names(function)]
    return check_names(names, len(names))


def _collect(
    parts: Iterable[Part], ids: NDArray[np.str_] | None, bar: Any, on_failure: Callable[[Failure], object] | None
) -> tuple[list[Codes], list[ImpreciseVote], dict[str, Failure]]:
    """Go through the run: votes, a block a part; vote objects; the first failure of every function that failed."""
    blocks: list[Codes] = []
    numbers: dict[ImpreciseVote, int] = {}
    first_failures: dict[str, Failure] = {}
    n_errors = 0
    try:
        for codes, failures, symbols in parts:
            blocks.append(_renumbered(codes, symbols, numbers) if symbols else codes)
            _note(failures, ids, first_failures, on_failure)
            if failures or n_errors:
                n_errors += int(np.count_nonzero(codes == ERROR))
                bar.set_postfix(errors=n_errors, refresh=False)
            bar.update(len(codes))
    except StoppedError as stop:
        raise LabelingFunctionError(str(_named(stop.failure, ids))) from stop.__cause__
    return blocks, list(numbers), first_failures


def _renumbered(codes: Codes, symbols: Sequence[ImpreciseVote], numbers: dict[ImpreciseVote, int]) -> Codes:
    """The codes of a part, its vote objects by their numbers in the whole run."""
    table = np.array([numbers.setdefault(vote, len(numbers)) for vote in symbols], np.int32)
    wide = codes.astype(np.int32)
    chosen = wide <= FIRST_SYMBOL
    wide[chosen] = FIRST_SYMBOL - table[FIRST_SYMBOL - wide[chosen]]
    return wide


def _count_classes(matrix: Codes, symbols: Sequence[ImpreciseVote]) -> int:
    """The smallest K that fits all votes."""
    n_classes = max([2, int(matrix.max(initial=0)) + 1, *map(least_classes, symbols)])
    for vote in symbols:
        if reason := misfit(vote, n_classes):
            raise InvalidArgumentError(
                f"the votes do not agree on the number of classes: {reason}, by the other votes. Give n_classes",
                field="n_classes",
            )
    return n_classes


def _note(
    failures: Iterable[Failure],
    ids: NDArray[np.str_] | None,
    first_failures: dict[str, Failure],
    on_failure: Callable[[Failure], object] | None,
    *,
    stop: bool = False,
) -> None:
    """Tell the caller of failures, and keep the first of every function; raise it instead, if asked to stop."""
    for failure in failures:
        named = _named(failure, ids)
        if stop:
            raise LabelingFunctionError(str(named))
        first_failures.setdefault(named.function, named)
        if on_failure is not None:
            on_failure(named)


def _named(failure: Failure, ids: NDArray[np.str_] | None) -> Failure:
    # Ids given beside data of unknown length may be too few, which is refused when the data ends.
    return failure if ids is None or failure.item >= len(ids) else replace(failure, item_id=str(ids[failure.item]))


def _warn(votes: Votes, first_failures: Mapping[str, Failure]) -> None:
    for name, count in zip(votes.source_names, votes.errors.tolist(), strict=True):
        if count:
            warn_of_function(first_failures[name], count, votes.n_items, stacklevel=4)

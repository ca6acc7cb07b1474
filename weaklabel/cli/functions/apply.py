"""weaklabel apply: votes of functions and prompts on the items of a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from weaklabel.cli import options
from weaklabel.cli.session import FAILED, Steps, check_table, command, note, show_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from weaklabel.cli.functions.python_file import Found
    from weaklabel.formats.items import ItemTable
    from weaklabel.labeling import Failure
    from weaklabel.labeling.sources import DataEngine
    from weaklabel.votes import Votes


def apply(
    functions: Annotated[
        Path,
        typer.Argument(
            metavar="FUNCTIONS.py", help="Python file with labeling functions and prompts.", show_default=False
        ),
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV, TSV, JSONL or Parquet; - for stdin.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Votes: CSV, TSV, JSONL, Parquet or npz; - for stdout."),
    ] = Path("-"),
    to: options.To = None,
    to_long: options.ToLong = False,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Names of the classes 0, 1, ...", show_default="CLASSES of the file"),
    ] = None,
    gold: options.Gold = None,
    id_column: options.Id = None,
    format_name: options.Format = None,
    delimiter: options.Delimiter = None,
    workers: Annotated[int, typer.Option(help="Processes that call functions; -1 for one a core.")] = 1,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with code 1 if a function failed on an item.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Call labeling functions and prompts on the items of a file, and write their votes.

    All that stand at the top level of the Python file, in lists too, get each item as a row: x.text is the cell of the
    column "text". A function that fails on an item has no vote there; how often is told for each.
    """
    with command("apply"):
        from weaklabel.cli.convert import write
        from weaklabel.cli.functions.python_file import loaded
        from weaklabel.formats.items import read_items
        from weaklabel.formats.vote_tables import VoteTable

        options.refuse_two_on_stdout(as_json, output, "the votes")
        check_table(output, to, archive=True)
        steps = Steps()
        with loaded(functions) as found:
            items = read_items(data, format=format_name, delimiter=options.one_character(delimiter), progress=steps)
            id_name, ids = items.ids(id_column)
            named = options.listed(classes) or found.classes
            known = _gold(items, gold, named) if gold is not None and named is not None else None
            first = dict[str, "Failure"]()
            votes = _votes(found, items, ids, named, workers, steps, first)
        steps.close()
        names = tuple(named or map(str, range(votes.n_classes)))
        if named is None:
            note(f"classes are called {', '.join(names)}: name them by --classes, or by CLASSES in {functions}")
            known = None if gold is None else _gold(items, gold, names)
        write(output, VoteTable(votes=votes, classes=names, gold=known, id_name=id_name), to, to_long=to_long)
        _tell(votes, names, items, first, output, as_json=as_json)
        if fail and first:
            raise typer.Exit(FAILED)


def _votes(
    found: Found,
    items: ItemTable,
    ids: list[str] | None,
    classes: Sequence[str] | None,
    workers: int,
    steps: Steps,
    first: dict[str, Failure],
) -> Votes:
    """The votes; the first failure of each function goes to `first`."""
    from weaklabel.labeling import LabelingFunction, LabelingFunctionWarning
    from weaklabel.labeling import apply as apply_all
    from weaklabel.labeling.sources import default_engine

    engine = None
    if prompts := [one for one in found.functions if not isinstance(one, LabelingFunction)]:
        engine = _Telling(found.engine or default_engine(prompts[0]), steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelingFunctionWarning)  # told below, in a line each
        return apply_all(
            found.functions,
            _Rows(items, steps),
            n_classes=None if classes is None else len(classes),
            items=ids,
            progress=False,
            n_jobs=workers,
            on_failure=lambda failure: first.setdefault(failure.function, failure),
            engine=engine,
        )


class _Rows:
    """The items as rows; how many have been taken is told."""

    def __init__(self, items: ItemTable, steps: Steps) -> None:
        self._items, self._steps = items, steps

    def __len__(self) -> int:
        return len(self._items.rows)

    def __iter__(self) -> Iterator[Any]:
        from weaklabel.labeling import Row

        for number, cells in enumerate(self._items.rows):
            self._steps(f"apply: {number:,} of {len(self):,} items")
            yield Row(zip(self._items.columns, cells, strict=True))


class _Telling:
    """An engine of prompts that tells how far it is."""

    def __init__(self, engine: DataEngine, steps: Steps) -> None:
        self._engine, self._steps = engine, steps

    def answer(
        self,
        sources: Sequence[Any],
        items: Sequence[Any],
        *,
        n_classes: int,
        progress: bool,  # noqa: ARG002
    ) -> tuple[Votes, list[Failure]]:
        def tell(now: Any) -> None:
            spent = f"${now.money:.4f}" if now.money else f"{now.tokens:,.0f} tokens"
            self._steps(f"prompts: {now.done:,} of {now.total:,} calls, {now.errors:,} errors, {spent}")

        shown: Any = tell  # engines take a function in place of True
        return self._engine.answer(sources, items, n_classes=n_classes, progress=shown)


def _gold(items: ItemTable, column: str, classes: Sequence[str]) -> NDArray[np.int32]:
    """[N] class indices of a column of known labels, -1 where it says nothing."""
    from weaklabel.errors import InvalidVotesError
    from weaklabel.votes.vocabulary import vocabulary

    texts = items.texts(column)
    places = {text: items.place(row) for row, text in reversed(list(enumerate(texts))) if text is not None}
    words = vocabulary(places, classes)
    if words.unknown:
        text = min(words.unknown, key=texts.index)
        raise InvalidVotesError(
            f"{places[text]}, column {column!r} is {text!r}, which is no class; the classes are {', '.join(classes)}",
            field="gold",
        )
    return np.array([-1 if text is None else words.indices[text] for text in texts], np.int32)


def _tell(
    votes: Votes,
    classes: Sequence[str],
    items: ItemTable,
    first: Mapping[str, Failure],
    output: Path,
    *,
    as_json: bool,
) -> None:
    """What each function did, and where it failed first."""
    voted = np.bincount(votes.triples()[1], minlength=votes.n_sources)
    lines = [
        {
            "source": name,
            "votes": count,
            "abstains": votes.n_items - count - errors,
            "errors": errors,
            "first_error": f"{items.place(first[name].item)}: {first[name].error}" if name in first else None,
        }
        for name, count, errors in zip(votes.source_names, voted.tolist(), votes.errors.tolist(), strict=True)
    ]
    if as_json:
        show_json({"output": str(output), "items": votes.n_items, "classes": list(classes), "sources": lines})
    else:
        for line in lines:
            told = f"{line['source']}: {line['votes']:,} votes, {line['abstains']:,} abstains"
            note(told + (f", {line['errors']:,} errors" if line["errors"] else ""))
        note(f"{votes.n_items:,} items, {votes.n_sources} sources" + ("" if str(output) == "-" else f": {output}"))
    for line in lines:
        if line["errors"]:
            note(
                f"weaklabel apply: {line['source']!r} failed on {line['errors']:,} of {votes.n_items:,} items; first "
                f"{line['first_error']}"
            )

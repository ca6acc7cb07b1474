"""weaklabel convert: votes from one kind of file to another, names kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from weaklabel.cli import options
from weaklabel.cli.session import Steps, check_table, command, note, show_json

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable


@options.reads_votes(without=("taxonomy",))
def convert(
    reading: options.Reading,
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSONL, Parquet or npz; - for stdout.", show_default=False)
    ],
    to: options.To = None,
    to_long: options.ToLong = False,
    as_json: options.AsJson = False,
) -> None:
    """Write votes in another format: columns id, one a source, and gold; or item, source, label and gold."""
    with command("convert"):
        options.refuse_two_on_stdout(as_json, output, "the votes")
        check_table(output, to, archive=True)
        steps = Steps()
        table = reading.table(steps)
        write(output, table, to, to_long=to_long)
        steps.close()
        shape = {"items": table.votes.n_items, "sources": table.votes.n_sources, "votes": table.votes.n_votes}
        if as_json:
            show_json({"output": str(output), **shape, "classes": list(table.classes)})
        elif str(output) != "-":
            note(f"wrote {output}: " + ", ".join(f"{count:,} {name}" for name, count in shape.items()))


def write(output: Path, table: VoteTable, to: str | None, *, to_long: bool) -> None:
    """Votes as a file of the format that its name tells, or `to`.

    Raises:
        InvalidArgumentError: for votes that a table of names cannot hold, and for columns of one name.
    """
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.formats.archives import write_archive
    from weaklabel.formats.tables import format_of
    from weaklabel.formats.writing import write_table
    from weaklabel.votes.vocabulary import MISSING

    archive = (to or format_of(output)) == "npz"
    if archive and (to_long or str(output) == "-"):
        raise InvalidArgumentError("an npz holds a matrix, in a file of its own", field="output")
    if not table.votes.is_plain:
        if not archive or table.gold is not None:
            raise InvalidArgumentError(
                "candidate sets and soft votes have no place in a table of names: write a file *.npz, without gold",
                field="output",
            )
        table.votes.save(output)
        note(f"{output} holds no names of classes: where it is read, give --classes {','.join(table.classes)}")
        return
    if archive:
        write_archive(output, table.votes, table.classes, table.gold)
        return
    write_table(output, _long(table) if to_long else _wide(table), to)
    if words := [name for name in table.classes if name.lower() in MISSING or name == "-1"]:
        note(f"the class {words[0]!r} reads like an abstain: give --classes where the file is read")


def _wide(table: VoteTable) -> dict[str, list[Any]]:
    from weaklabel.errors import InvalidArgumentError

    votes, columns = table.votes, dict[str, list[Any]]()
    beside = {"id"} if votes.item_ids is not None else set()
    beside |= {"gold"} if table.gold is not None else set()
    if clash := beside & set(votes.source_names):
        raise InvalidArgumentError(f"a source is called {min(clash)!r}, as another column is", field="output")
    if votes.item_ids is not None:
        columns["id"] = votes.item_ids.tolist()
    names = np.array([*table.classes, None], object)  # -1 is the last
    columns |= dict(zip(votes.source_names, names[votes.to_dense().T].tolist(), strict=True))
    return columns if table.gold is None else columns | {"gold": names[table.gold].tolist()}


def _long(table: VoteTable) -> dict[str, list[Any]]:
    """A row a vote; items and sources without votes have a row without a label, so that they are not lost."""
    votes = table.votes
    items, sources, labels = votes.triples()
    silent_items = np.flatnonzero(np.bincount(items, minlength=votes.n_items) == 0)
    silent_sources = np.flatnonzero(np.bincount(sources, minlength=votes.n_sources) == 0)
    rows = np.concatenate([items, silent_items, np.zeros_like(silent_sources)])
    columns = np.concatenate([sources, np.zeros_like(silent_items), silent_sources])
    codes = np.concatenate([labels, np.full(len(rows) - len(labels), -1)])
    order = np.lexsort((columns, rows))
    ids = np.arange(votes.n_items) if votes.item_ids is None else votes.item_ids
    names = np.array([*table.classes, None], object)
    written: dict[str, list[Any]] = {
        "item": ids[rows[order]].tolist(),
        "source": np.array(votes.source_names, object)[columns[order]].tolist(),
        "label": names[codes[order]].tolist(),
    }
    return written if table.gold is None else written | {"gold": names[table.gold[rows[order]]].tolist()}

"""The options of commands that read a file of votes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weaklabel.cli.session import Steps, note

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable

VotesFile = Annotated[
    Path, typer.Argument(metavar="VOTES", help="CSV, TSV, JSONL, Parquet or npz; - for stdin.", show_default=False)
]
Classes = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="The classes, in order.", show_default="those of the file, sorted"),
]
Abstain = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Abstains too, beside blanks, NA, NaN, None; may be repeated."),
]
Sources = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Columns of votes.", show_default="all but --id and --gold")
]
Id = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="Column of ids.", show_default="id, item, index, if there")
]
Gold = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of known labels; blank where unknown.")]
Long = Annotated[
    str | None,
    typer.Option(
        metavar="ITEM,SOURCE,LABEL",
        help="Columns of a file with one vote a row.",
        show_default="found where they are called item or task, source or worker, label or vote",
    ),
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="csv, tsv, jsonl, parquet or npz.", show_default="found")
]
Delimiter = Annotated[str | None, typer.Option(metavar="CHARACTER", help="Of CSV.", show_default="found")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def listed(text: str | None) -> list[str] | None:
    """Names that commas separate."""
    return None if text is None else [name.strip() for name in text.split(",")]


def read(
    path: Path,
    steps: Steps,
    *,
    classes: list[str] | None = None,
    abstain: list[str] | None = None,
    sources: str | None = None,
    id_column: str | None = None,
    gold: str | None = None,
    long: str | None = None,
    format_name: str | None = None,
    delimiter: str | None = None,
    known_sources: tuple[str, ...] | None = None,
) -> VoteTable:
    """The file of votes; what was guessed about it is told on stderr."""
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.formats.vote_tables import Layout, read_vote_table

    if delimiter is not None and len(delimiter := delimiter.replace("\\t", "\t")) != 1:
        raise InvalidArgumentError(f"--delimiter is one character, got {delimiter!r}", field="delimiter")
    layout = Layout(
        classes=classes,
        abstain=abstain or None,
        sources=listed(sources),
        id=id_column,
        gold=gold,
        long=listed(long),
        known_sources=known_sources,
    )
    table = read_vote_table(path, layout, format=format_name, delimiter=delimiter, progress=steps)
    for line in table.notes:
        note(line)
    return table

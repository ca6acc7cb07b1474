"""The options of commands that read a file of votes, for all of them in one place."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from weaklabel.cli.session import Steps, note
from weaklabel.cli.taxonomies import over_leaves, read_taxonomy

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Seed = Annotated[int, typer.Option(help="Of the fit.")]
To = Annotated[str | None, typer.Option(metavar="NAME", help="Format of the output.", show_default="found")]
ToLong = Annotated[bool, typer.Option("--to-long", help="Write a row a vote, not a column a source.")]
Classes = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="The classes, in order.", show_default="those of the file, sorted"),
]
Abstain = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Abstains too, beside blanks, NA, NaN, None; may be repeated."),
]
Id = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="Column of ids.", show_default="id, item, index, if there")
]
Gold = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of known labels; blank where unknown.")]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="csv, tsv, jsonl, parquet or npz.", show_default="found"),
]
Delimiter = Annotated[str | None, typer.Option(metavar="CHARACTER", help="Of CSV.", show_default="found")]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is said on the command line of a file of votes; `reads_votes` makes options of its fields."""

    votes: Annotated[
        Path, typer.Argument(metavar="VOTES", help="CSV, TSV, JSONL, Parquet or npz; - for stdin.", show_default=False)
    ]
    classes: Classes = None
    gold: Gold = None
    abstain: Abstain = None
    sources: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Columns of votes.", show_default="all but --id and --gold")
    ] = None
    id_column: Id = None
    long: Annotated[
        str | None,
        typer.Option(
            metavar="ITEM,SOURCE,LABEL",
            help="Columns of a file with one vote a row.",
            show_default="found where they are called item or task, source or worker, label or vote",
        ),
    ] = None
    format_name: Format = None
    delimiter: Delimiter = None
    taxonomy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Node and parent of each: votes may name any node, classes are the leaves."),
    ] = None

    def table(
        self,
        steps: Steps,
        *,
        classes: list[str] | None = None,
        labels: str | None = None,
        known_sources: tuple[str, ...] | None = None,
    ) -> VoteTable:
        """The votes; what was guessed about the file is told on stderr.

        Args:
            steps: shows progress.
            classes: those of a model, where it has them.
            labels: column of labels that may be wrong.
            known_sources: those of a model; see `Layout`.
        """
        from weaklabel.formats.vote_tables import Layout, read_vote_table

        named = classes or listed(self.classes)
        tree = None if self.taxonomy is None else read_taxonomy(self.taxonomy, named)
        layout = Layout(
            classes=named if tree is None else tree.nodes,
            abstain=self.abstain or None,
            sources=listed(self.sources),
            id=self.id_column,
            gold=self.gold,
            labels=labels,
            long=listed(self.long),
            known_sources=known_sources,
        )
        read = read_vote_table(
            self.votes, layout, format=self.format_name, delimiter=one_character(self.delimiter), progress=steps
        )
        for line in read.notes:
            note(line)
        return read if tree is None else over_leaves(read, tree)


def reads_votes(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of `Reading` in the place of its parameter `reading`.

    The argument VOTES stands where `reading` does, the options after those of the command itself.

    Args:
        without: fields of `Reading` that the command has no use for.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        hints, own = get_type_hints(Reading, include_extras=True), list[inspect.Parameter]()
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if parameter.name == "reading":
                own.append(_parameter("votes", hints["votes"], inspect.Parameter.empty))
            else:
                own.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        taken = [one for one in fields(Reading) if one.name not in without]
        rest = [_parameter(one.name, hints[one.name], one.default) for one in taken if one.name != "votes"]
        signature = inspect.Signature([*own, *rest])

        def command(**given: Any) -> None:
            function(reading=Reading(**{one.name: given.pop(one.name) for one in taken}), **given)

        command.__name__, command.__doc__, command.__module__ = function.__name__, function.__doc__, function.__module__
        command.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
        command.__signature__ = signature  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def listed(text: str | None) -> list[str] | None:
    """Names that commas separate; one that has a comma stands in double quotes."""
    return None if text is None else [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [""])]


def one_character(delimiter: str | None) -> str | None:
    r"""A delimiter as it was written, "\t" for a tab.

    Raises:
        InvalidArgumentError: if it is longer than a character.
    """
    from weaklabel.errors import InvalidArgumentError

    if delimiter is not None and len(delimiter := delimiter.replace("\\t", "\t")) != 1:
        raise InvalidArgumentError(f"--delimiter is one character, got {delimiter!r}", field="delimiter")
    return delimiter


def refuse_two_on_stdout(as_json: bool, output: Path | None, what: str) -> None:
    """Refuses --json where the output goes to stdout as well.

    Raises:
        InvalidArgumentError: if both do.
    """
    from weaklabel.errors import InvalidArgumentError

    if as_json and str(output) == "-":
        raise InvalidArgumentError(f"--json and {what} would both write to stdout", field="output")

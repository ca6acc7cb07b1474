"""weaklabel report and weaklabel card: what people look at before they trust labels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.fit import fitted
from weaklabel.cli.session import Steps, check_folder, command, note, show_json

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable
    from weaklabel.model import LabelModel

Model = Annotated[
    Path | None,
    typer.Option(metavar="MODEL", help="Of `weaklabel fit`.", show_default="fitted to these votes alone"),
]


@options.reads_votes(without=("taxonomy",))
def report(
    reading: options.Reading,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File of the report, *.html.")],
    model: Model = None,
    title: Annotated[str, typer.Option(help="Of the report.")] = "Label report",
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Write a report on votes and the labels made of them: one HTML file that needs nothing beside it."""
    with command("report"):
        check_folder(output)
        steps = Steps()
        table, chosen = _read(reading, model, seed, steps)
        steps("report: drawing")
        from weaklabel.report import report as draw

        made = draw(table.votes, chosen, gold=table.gold, classes=table.classes, title=title)
        made.save(output)
        steps.close()
        if as_json:
            show_json({"output": str(output), "verdict": made.verdict, "findings": list(made.findings)})
        else:
            note(f"{made.verdict}\nwrote {output}")


@options.reads_votes(without=("taxonomy",))
def card(
    reading: options.Reading,
    name: Annotated[str, typer.Option(help="Of the label set.")],
    version: Annotated[str, typer.Option(help="Of the label set.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="*.md, or *.json for Croissant; - for stdout.")
    ] = Path("-"),
    model: Model = None,
    license_name: Annotated[
        str | None, typer.Option("--license", help="SPDX identifier, or an address.", show_default="none is named")
    ] = None,
    description: Annotated[str | None, typer.Option(help="A sentence or two.")] = None,
    creator: Annotated[list[str] | None, typer.Option(help="Who made it; may be repeated.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the label set is found.")] = None,
    date: Annotated[str | None, typer.Option(help="Of the release.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="File of the release, told by its sha256; repeatable.")
    ] = None,
    seed: options.Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Write the card as JSON (Croissant).")] = False,
) -> None:
    """Write the card of a label set to be released: sources, model, balance, what is doubtful, licence."""
    with command("card"):
        from weaklabel._archive import write_file
        from weaklabel.errors import InvalidArgumentError

        if not as_json and str(output) != "-" and output.suffix not in (".md", ".json"):
            raise InvalidArgumentError(f"{output} must be *.md or *.json", field="output")
        check_folder(output)
        steps = Steps()
        digests = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in file or ()}
        table, chosen = _read(reading, model, seed, steps)
        from weaklabel.report import card as make

        made = make(
            table.votes,
            chosen,
            name=name,
            version=version,
            license=license_name,
            description=description,
            creators=creator or (),
            url=url,
            date=date,
            files=digests or None,
            gold=table.gold,
        )
        steps.close()
        text: str = made.to_json() if as_json or output.suffix == ".json" else made.to_markdown()
        if str(output) == "-":
            typer.echo(text, nl=not text.endswith("\n"))
        else:
            write_file(output, text.encode())
            note(f"wrote {output}")


def _read(reading: options.Reading, path: Path | None, seed: int, steps: Steps) -> tuple[VoteTable, LabelModel]:
    """The votes, and the model of a file, or one that is fitted to them alone."""
    if path is None:
        table = reading.table(steps)
        return table, fitted(table, steps, seed=seed, with_gold=False)
    from weaklabel.model import LabelModel

    model: Any = LabelModel.load(path)
    return reading.table(steps, classes=list(model.classes), known_sources=model.source_names), model

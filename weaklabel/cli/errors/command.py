"""weaklabel errors: which labels of a data set are probably wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weaklabel.cli import options
from weaklabel.cli.errors.findings import shown
from weaklabel.cli.errors.labels import of_labels
from weaklabel.cli.errors.tags import of_tags
from weaklabel.cli.session import FAILED, Steps, check_table, command, note, show_json


@options.reads_votes(without=("taxonomy",))
def errors(
    reading: options.Reading,
    labels: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Labels to look at; blank where there is none.")
    ] = None,
    tags: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Columns of tags to look at, in place of --labels: 1 where an item has the tag, 0 where not. With "
            "--probabilities.",
        ),
    ] = None,
    probabilities: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Probabilities of a classifier that was not trained on the item, a column a class, in place of votes; "
            "p_* for all columns that begin so.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="All suspects: CSV, TSV, JSONL or Parquet; - for stdout."),
    ] = None,
    to: options.To = None,
    top: Annotated[int, typer.Option(min=0, help="Suspects to show.")] = 20,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with code 1 if a label is likelier wrong.")] = False,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Show which labels are likelier wrong than right, worst first: by the votes of others, or by a classifier.

    Known labels (--gold) take no part in it: they tell how many of the suspects are wrong.
    """
    with command("errors"):
        options.refuse_two_on_stdout(as_json, output, "the suspects")
        check_table(output, to)
        steps, columns = Steps(), options.listed(probabilities)
        if tags is not None:
            found = of_tags(reading, options.listed(tags) or [], columns, labels, steps)
        else:
            found = of_labels(reading, labels, columns, seed, steps)
        steps.close()
        if output is not None:
            from weaklabel.formats.writing import write_table

            write_table(output, found.table, to)
            if str(output) != "-":
                note(f"wrote {output}: {found.n_suspects:,} suspects")
        if as_json:
            show_json(found.as_json)
        elif str(output) != "-":
            typer.echo(shown(found, top))
        if fail and found.n_suspects:
            raise typer.Exit(FAILED)

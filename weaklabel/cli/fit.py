"""weaklabel fit and weaklabel predict: from votes to a model, and to soft labels with the names of classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.session import Steps, check_folder, command, note, show_json

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable
    from weaklabel.model import LabelModel


def fit(
    votes: options.VotesFile,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="File of the model.")],
    soft: Annotated[Path | None, typer.Option(metavar="FILE", help="Soft labels of these votes; - for stdout.")] = None,
    classes: options.Classes = None,
    gold: options.Gold = None,
    abstain: options.Abstain = None,
    sources: options.Sources = None,
    id_column: options.Id = None,
    long: options.Long = None,
    format_name: options.Format = None,
    delimiter: options.Delimiter = None,
    seed: Annotated[int, typer.Option(help="Of the fit.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Fit a label model to votes, and say what is doubtful about it."""
    with command("fit"):
        if as_json and str(soft) == "-":
            from weaklabel.errors import InvalidArgumentError

            raise InvalidArgumentError("--json and --soft - would both write to stdout", field="soft")
        check_folder(output)
        check_folder(soft)
        steps = Steps()
        table = options.read(
            votes,
            steps,
            classes=options.listed(classes),
            abstain=abstain,
            sources=sources,
            id_column=id_column,
            gold=gold,
            long=long,
            format_name=format_name,
            delimiter=delimiter,
        )
        model = fitted(table, steps, seed=seed, with_gold=True)
        model.save(output)
        if soft is not None:
            write_labels(soft, model, table)
        report: dict[str, Any] = {
            "model": str(output),
            "items": table.votes.n_items,
            "sources": list(table.votes.source_names),
            "class_balance": dict(zip(model.classes, model.class_balance.tolist(), strict=True)),
            "converged": model.converged,
            "findings": [finding._asdict() for finding in model.diagnostics.findings],
            "risk": model.diagnostics.risk,
        }
        if as_json:
            show_json(report)
            return
        balance = ", ".join(f"{name} {100 * share:.1f} %" for name, share in report["class_balance"].items())
        note(f"{table.votes.n_items:,} items, {table.votes.n_sources} sources; class balance: {balance}")
        note(f"{model.diagnostics}\nwrote {output}" + (f" and {soft}" if soft not in (None, Path("-")) else ""))


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Of `weaklabel fit`.", show_default=False)],
    votes: options.VotesFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL or Parquet; - for stdout.")
    ] = Path("-"),
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Format of the output.", show_default="found")] = None,
    abstain: options.Abstain = None,
    sources: options.Sources = None,
    id_column: options.Id = None,
    long: options.Long = None,
    format_name: options.Format = None,
    delimiter: options.Delimiter = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON lines.")] = False,
) -> None:
    """Write the label of each item, blank where classes are tied, and the probability of each class."""
    with command("predict"):
        from weaklabel.model import LabelModel

        check_folder(output)
        steps, loaded = Steps(), LabelModel.load(model)
        table = options.read(
            votes,
            steps,
            classes=list(loaded.classes),
            abstain=abstain,
            sources=sources,
            id_column=id_column,
            long=long,
            format_name=format_name,
            delimiter=delimiter,
            known_sources=loaded.source_names,
        )
        write_labels(output, loaded, table, "jsonl" if as_json else to)
        steps.close()


def fitted(table: VoteTable, steps: Steps, *, seed: int = 0, with_gold: bool) -> LabelModel:
    """A model of the votes in a file."""
    from weaklabel.model import LabelModel

    model = LabelModel(classes=table.classes, seed=seed)
    model.fit(table.votes, gold=table.gold if with_gold else None, progress=steps.fit)
    steps.close()
    return model


def write_labels(path: Path, model: LabelModel, table: VoteTable, format_name: str | None = None) -> None:
    """Ids, the label by name, and the probability of each class in a column of its own.

    Raises:
        InvalidArgumentError: where the column of ids has the name of another one.
    """
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.formats.writing import write_table

    soft, labels = model.label(table.votes)
    ids = table.votes.item_ids
    columns: dict[str, list[Any]] = {}
    name = table.id_name or "id"
    if ids is not None:
        columns[name] = ids.tolist()
    made = {"label": [None if k < 0 else model.classes[k] for k in labels.tolist()]}
    made |= {f"p_{one}": [float(f"{p:.6g}") for p in soft[:, k]] for k, one in enumerate(model.classes)}
    if clash := set(columns) & set(made):
        raise InvalidArgumentError(f"the ids are in a column {min(clash)!r}, as labels would be", field="path")
    write_table(path, columns | made, format_name)

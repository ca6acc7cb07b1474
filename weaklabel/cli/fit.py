"""weaklabel fit and weaklabel predict: from votes to a model, and to soft labels with the names of classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.session import Steps, check_folder, check_table, command, note, show_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weaklabel.formats.vote_tables import VoteTable
    from weaklabel.model import LabelModel


@options.reads_votes()
def fit(
    reading: options.Reading,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="File of the model.")],
    soft: Annotated[Path | None, typer.Option(metavar="FILE", help="Soft labels of these votes; - for stdout.")] = None,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Fit a label model to votes, and say what is doubtful about it."""
    with command("fit"):
        options.refuse_two_on_stdout(as_json, soft, "the soft labels")
        check_folder(output)
        check_table(soft)
        steps = Steps()
        table = reading.table(steps)
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


@options.reads_votes(without=("classes", "gold"))
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Of `weaklabel fit`.", show_default=False)],
    reading: options.Reading,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL or Parquet; - for stdout.")
    ] = Path("-"),
    to: options.To = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON lines.")] = False,
) -> None:
    """Write the label of each item, blank where classes are tied, and the probability of each class."""
    with command("predict"):
        from weaklabel.model import LabelModel

        check_table(output, "jsonl" if as_json else to)
        steps, loaded = Steps(), LabelModel.load(model)
        table = reading.table(steps, classes=list(loaded.classes), known_sources=loaded.source_names)
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
    """Writes `label_columns` of a model. Errors as there."""
    from weaklabel.formats.writing import write_table

    soft, labels = model.label(table.votes)
    ids = None if table.votes.item_ids is None else (table.id_name or "id", table.votes.item_ids.tolist())
    write_table(path, label_columns(ids, model.classes, labels, soft), format_name)


def short(shares: NDArray[np.float32]) -> list[float]:
    """Numbers from 0 to 1 with six significant digits, of 22 places at most: as text they are short."""
    import numpy as np

    exact = shares.astype(np.float64)
    places = np.clip(5 - np.floor(np.log10(np.maximum(exact, 1e-22))), 0, 22).astype(int)
    powers = np.array([float(10**n) for n in range(23)])
    scale = powers[places]  # without error, so the quotient is the number that the digits name
    found: list[float] = (np.rint(exact * scale) / scale).tolist()
    return found


def label_columns(
    ids: tuple[str, list[str]] | None,
    classes: Sequence[str],
    labels: NDArray[np.int32],
    soft: NDArray[np.float32],
) -> dict[str, list[Any]]:
    """Ids, the label by name, and the probability of each class in a column of its own.

    Args:
        ids: name of their column, and N ids.
        classes: K names.
        labels: [N] class indices, -1 where classes are tied.
        soft: [N, K] probabilities.

    Raises:
        InvalidArgumentError: where the column of ids has the name of another one.
    """
    from weaklabel.errors import InvalidArgumentError

    made: dict[str, list[Any]] = {"label": [None if k < 0 else classes[k] for k in labels.tolist()]}
    made |= {f"p_{one}": short(soft[:, k]) for k, one in enumerate(classes)}
    if ids is None:
        return made
    if ids[0] in made:
        raise InvalidArgumentError(f"the ids are in a column {ids[0]!r}, as labels would be", field="path")
    return {ids[0]: ids[1], **made}

"""weaklabel push and weaklabel pull: votes up to a server, soft labels down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.session import Steps, check_table, command, note, show_json
from weaklabel.cli.sharing.server import Authority, Project, Server, Tls, connected

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable
    from weaklabel_client import Client


@options.reads_votes(without=("taxonomy",))
def push(
    reading: options.Reading,
    server: Server,
    project: Project,
    fit: Annotated[bool, typer.Option("--fit", help="Fit a model there, and wait for it.")] = False,
    seed: options.Seed = 0,
    tls: Tls = False,
    authority: Authority = None,
    as_json: options.AsJson = False,
) -> None:
    """Upload votes to a project on a server, which is made where there is none, and fit a model there.

    Known labels (--gold) go along as side data. The token is that of the environment variable WEAKLABEL_TOKEN.
    """
    with command("push"):
        steps = Steps()
        with connected(server, tls=tls, authority=authority, needed_for="calls of a server") as client:
            table = reading.table(steps, classes=None if reading.classes else _classes(client, project))
            client.create_project(project, table.classes, exist_ok=True)
            uploaded = _upload(client, project, table, steps)
            found: dict[str, Any] = {
                "project": project,
                "items": table.votes.n_items,
                "sources": table.votes.n_sources,
                "votes_version": uploaded.votes_version,
                "added": uploaded.added,
                "model": None,
            }
            shape = f"{found['items']:,} items, {found['sources']} sources"
            told = "" if uploaded.added else ", which the server had already"
            note(f"{shape}: version {uploaded.votes_version} of the votes of {project}{told}")
            gold = None
            if table.gold is not None:
                gold = client.upload_side_data(project, "gold", table.gold, items=_ids(table))
            if fit:
                found |= _fit(client, project, uploaded.votes_version, gold, seed, steps)
        steps.close()
        if as_json:
            show_json(found)
        elif fit:
            for line in found["warnings"]:
                note(f"- {line}")
            note(f"fitted {found['model']}: weaklabel pull --server {server} --project {project} -o labels.csv")


def _classes(client: Client, project: str) -> list[str] | None:
    """Those of the project, in its order, which votes need not all name; None where there is no such project."""
    from weaklabel_client import NotFound

    try:
        return list(client.get_project(project).classes)
    except NotFound:
        return None


def _ids(table: VoteTable) -> list[str] | None:
    ids = table.votes.item_ids
    return None if ids is None else [str(one) for one in ids]


def _upload(client: Client, project: str, table: VoteTable, steps: Steps) -> Any:
    def tell(progress: Any) -> None:
        steps(f"push: {progress}")

    votes = table.votes
    if not votes.is_sparse:
        return client.upload_votes(project, votes, progress=tell)
    return client.upload_triples(
        project,
        *votes.triples(),
        n_items=votes.n_items,
        source_names=votes.source_names,
        item_ids=_ids(table),
        progress=tell,
    )


def _fit(client: Client, project: str, version: int, gold: Any, seed: int, steps: Steps) -> dict[str, Any]:
    def tell(progress: Any) -> None:
        steps(f"fit: {progress}")

    model = client.fit(project, votes_version=version, gold=gold, seed=seed).result(progress=tell)
    return {
        "model": model.name,
        "converged": model.converged,
        "class_balance": dict(zip(client.get_project(project).classes, model.class_balance.tolist(), strict=True)),
        "warnings": list(model.warnings),
        "risk": model.risk,
    }


def pull(
    server: Server,
    project: Project,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL or Parquet; - for stdout.")
    ] = Path("-"),
    to: options.To = None,
    model: Annotated[
        str | None, typer.Option(metavar="ID", help="Model of the project.", show_default="newest")
    ] = None,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write their card, too: *.md, or *.json for Croissant.")
    ] = None,
    tls: Tls = False,
    authority: Authority = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the soft labels of a model on a server, in the columns of `weaklabel predict`.

    The card has the name of the project, and the version of its votes.
    """
    with command("pull"):
        from weaklabel._archive import write_file
        from weaklabel.cli.fit import label_columns
        from weaklabel.errors import InvalidArgumentError
        from weaklabel.formats.writing import write_table

        options.refuse_two_on_stdout(as_json, output, "the labels")
        check_table(output, to)
        if card is not None and card.suffix not in (".md", ".json"):
            raise InvalidArgumentError(f"{card} must be *.md or *.json", field="card")
        steps = Steps()
        with connected(server, tls=tls, authority=authority, needed_for="calls of a server") as client:
            classes = client.get_project(project).classes
            chosen = client.get_model(project, model)
            steps(f"pull: {chosen.n_items:,} items of {chosen.name}")
            read = client.labels(project, model=chosen.name)
            if card is not None:
                steps("pull: the card")
                made = client.card(project, model=chosen.name, name=project, version=str(chosen.votes_version))
                write_file(card, (made.json if card.suffix == ".json" else made.markdown).encode())
        ids = None if read.items is None else ("id", list(read.items))
        write_table(output, label_columns(ids, classes, read.labels, read.probabilities), to)
        steps.close()
        if as_json:
            found = {"output": str(output), "model": chosen.name, "items": len(read.labels), "classes": list(classes)}
            show_json(found)
        elif str(output) != "-":
            note(f"wrote {output}: {len(read.labels):,} items, by {chosen.name}")

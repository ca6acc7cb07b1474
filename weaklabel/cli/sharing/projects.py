"""weaklabel export and weaklabel import: projects of a server as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.session import Steps, command, note, show_json
from weaklabel.cli.sharing.server import Authority, Project, Server, Tls, connected

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the project.")]


def export_project(
    server: Server,
    project: Project,
    folder: Folder,
    votes_version: Annotated[
        int | None, typer.Option(min=1, help="Version of the votes.", show_default="newest")
    ] = None,
    models: Annotated[
        int | None, typer.Option(min=0, help="At most so many models, the newest.", show_default="all")
    ] = None,
    tls: Tls = False,
    authority: Authority = None,
    as_json: options.AsJson = False,
) -> None:
    """Write a project on a server to a folder: votes, side data, models, soft labels and a card, in Parquet."""
    with command("export"):
        steps = Steps()
        with connected(server, tls=tls, authority=authority, needed_for="calls of a server") as client:

            def tell(progress: Any) -> None:
                steps(f"export: {project}, {progress}")

            client.export_project(project, folder, votes_version=votes_version, models=models, progress=tell)
        steps.close()
        if as_json:
            show_json({"project": project, "folder": str(folder)})
        else:
            note(f"wrote {folder}: weaklabel import --server {server} --project NAME {folder}")


def import_project(
    server: Server,
    project: Project,
    folder: Folder,
    tls: Tls = False,
    authority: Authority = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a project on a server of a folder that `weaklabel export` wrote."""
    with command("import"):
        steps = Steps()
        with connected(server, tls=tls, authority=authority, needed_for="calls of a server") as client:

            def tell(progress: Any) -> None:
                steps(f"import: {folder}, {progress}")

            made = client.import_project(folder, project, progress=tell)
        steps.close()
        found = {
            "project": project,
            "items": made.n_items,
            "sources": made.n_sources,
            "votes_version": made.votes_version,
        }
        if as_json:
            show_json(found)
        else:
            shape = f"{made.n_items:,} items, {made.n_sources} sources"
            note(f"{project}: {shape}, version {made.votes_version} of the votes")

"""weaklabel admin quotas."""

import json
from typing import Annotated

import typer

from weaklabel.cli.admin.common import DataDir, reporting
from weaklabel.cli.options import AsJson
from weaklabel.cli.session import show_json

quotas = typer.Typer(name="quotas", help="Limits of single projects.", no_args_is_help=True)
Limit = Annotated[int | None, typer.Option(min=0, show_default="as it is")]


@quotas.command(name="set")
def set_limits(
    project: str,
    max_rows: Limit = None,
    max_sources: Limit = None,
    max_classes: Limit = None,
    max_bytes: Limit = None,
    data_dir: DataDir = None,
) -> None:
    """Set limits of a project, in place of those of the server."""
    given = {"max_rows": max_rows, "max_sources": max_sources, "max_classes": max_classes, "max_bytes": max_bytes}
    with reporting("admin quotas set"):
        from weaklabel_server.admin import quotas as admin

        admin.set_limits(data_dir, project, **{name: value for name, value in given.items() if value is not None})


@quotas.command()
def remove(project: str, data_dir: DataDir = None) -> None:
    """Let the limits of the server hold again."""
    with reporting("admin quotas remove"):
        from weaklabel_server.admin import quotas as admin

        admin.remove(data_dir, project)


@quotas.command(name="list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the projects that have limits of their own, as JSON lines; with --json as one object."""
    with reporting("admin quotas list"):
        from weaklabel_server.admin import quotas as admin

        rows = list(admin.every(data_dir))
        if as_json:
            show_json({"quotas": rows})
            return
        for row in rows:
            typer.echo(json.dumps(row))

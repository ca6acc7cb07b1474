"""weaklabel admin audit."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from weaklabel.cli.admin.common import DataDir, reporting

audit = typer.Typer(name="audit", help="Who changed what.", no_args_is_help=True)
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@audit.callback()
def group() -> None:
    """Who changed what."""


@audit.command()
def export(
    since: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="From this time on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="Before this time, UTC.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write.", show_default="stdout")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the audit trail as JSON lines."""
    with reporting("admin audit export"):
        from weaklabel_server.admin import audit as admin

        lines = admin.export(data_dir, since=since, until=until)
        if output is None:
            for line in lines:
                typer.echo(line)
        else:
            with output.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)

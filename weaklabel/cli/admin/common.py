"""What the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from weaklabel._extras import require
from weaklabel.errors import MissingExtraError

DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the server's database.", show_default="weaklabel-data"),
]


@contextmanager
def reporting(command: str) -> Iterator[None]:
    """Runs a command of the server; what it cannot do is said in a line on stderr, with exit status 1."""
    try:
        require("weaklabel_server.admin", extra="server", needed_for=f"weaklabel {command}")
    except MissingExtraError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    from weaklabel_server.admin.opening import AdminError

    try:
        yield
    except AdminError as error:
        typer.echo(f"weaklabel {command}: {error}", err=True)
        raise typer.Exit(1) from None

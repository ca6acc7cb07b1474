"""weaklabel serve."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from weaklabel._extras import require
from weaklabel._version import __version__
from weaklabel.errors import MissingExtraError


def serve(
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where to listen: HOST:PORT, of which port 0 picks a free one, or unix:PATH.",
            show_default="127.0.0.1:50051",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the database, made if missing.", show_default="weaklabel-data"),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure", help="Listen where other machines reach it, although there is no authentication yet."
        ),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.", show_default="text")] = None,
) -> None:
    """Run the gRPC server until SIGTERM or Ctrl-C. Every setting is also read from WEAKLABEL_* in the environment."""
    try:
        require("weaklabel_server.app", extra="server", needed_for="weaklabel serve")
    except MissingExtraError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    import asyncio

    try:
        from weaklabel_server import versions
    except ModuleNotFoundError:
        _give_up('the server is not installed: pip install "weaklabel[server]"')
    try:
        versions.check(versions.installed())
    except versions.IncompatibleVersionsError as error:
        _give_up(str(error))
    # Only now: what does not work together may not even be importable.
    from pydantic import ValidationError

    from weaklabel_server import app, logs
    from weaklabel_server.config import ServerConfig

    options: dict[str, Any] = {
        "listen": listen,
        "data_dir": data_dir,
        "insecure": insecure,
        "log_level": log_level,
        "log_format": log_format,
    }
    try:
        config = ServerConfig(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        _give_up("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors()))
    logs.set_up(config.log_level, config.log_format)
    host = config.listen.rpartition(":")[0]

    def ready(port: int) -> None:
        where = config.listen if config.listen.startswith("unix") else f"{host}:{port}"
        typer.echo(f"weaklabel {__version__} listening on {where}, data in {config.data_dir}")

    try:
        asyncio.run(app.serve(config, ready))
    except app.StartError as error:
        _give_up(str(error))


def _give_up(message: str) -> NoReturn:
    typer.echo(f"weaklabel serve: {message}", err=True)
    raise typer.Exit(1)

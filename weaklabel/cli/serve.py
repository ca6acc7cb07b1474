"""weaklabel serve."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from weaklabel._extras import require
from weaklabel._version import __version__
from weaklabel.cli.session import WRONG_USE, show_json
from weaklabel.errors import MissingExtraError

if TYPE_CHECKING:
    from weaklabel_server.config import ServerConfig

_OF_OUTPUT = ("print_config", "as_json")
"""Options that are no settings."""


def _pem(text: str) -> Any:
    return typer.Option(metavar="FILE", help=text)


def serve(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file with settings; environment and options go before it."),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print all settings as TOML, and where each comes from, and exit."),
    ] = False,
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
        typer.Option("--insecure", help="Listen where other machines reach it without TLS or without tokens."),
    ] = None,
    tls_certificate: Annotated[Path | None, _pem("Certificate of the server and its chain, PEM.")] = None,
    tls_key: Annotated[Path | None, _pem("Its key, PEM, without a password.")] = None,
    tls_client_ca: Annotated[
        Path | None, _pem("Let in only clients with a certificate signed by one of these, PEM.")
    ] = None,
    require_tokens: Annotated[
        str | None, typer.Option(help="Whether calls need a token: auto, on or off.", show_default="auto")
    ] = None,
    reflection: Annotated[
        bool | None,
        typer.Option("--reflection/--no-reflection", help="Tell callers the services.", show_default="on loopback"),
    ] = None,
    metrics_listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Metrics for Prometheus there, over HTTP.", show_default="none"),
    ] = None,
    tracing: Annotated[
        str | None, typer.Option(help="OpenTelemetry traces: auto, on or off.", show_default="auto")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.", show_default="text")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --print-config: print one JSON object.")] = False,
) -> None:
    """Run the gRPC server until SIGTERM or Ctrl-C. Every setting is also read from WEAKLABEL_* in the environment."""
    given = {name: value for name, value in locals().items() if value is not None and name not in _OF_OUTPUT}
    if as_json and not print_config:
        typer.echo("weaklabel serve: --json goes with --print-config; logs in JSON are --log-format json", err=True)
        raise typer.Exit(WRONG_USE)
    _check_installed()
    # Only now: what does not work together may not even be importable.
    from weaklabel_server import settings
    from weaklabel_server.config import ServerConfig

    try:
        chosen: ServerConfig = settings.read(ServerConfig, given)
    except settings.SettingsError as error:
        _give_up(str(error))
    if print_config:
        origins = settings.origins(ServerConfig, given)
        if as_json:
            show_json(settings.to_json(chosen, origins))
        else:
            typer.echo(settings.to_toml(chosen, origins), nl=False)
        return
    _run(chosen)


def _check_installed() -> None:
    """Ends with a line where the server is not installed, or its parts do not fit each other."""
    try:
        require("weaklabel_server.app", extra="server", needed_for="weaklabel serve")
    except MissingExtraError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    try:
        from weaklabel_server import versions
    except ModuleNotFoundError:
        _give_up('the server is not installed: pip install "weaklabel[server]"')
    try:
        versions.check(versions.installed())
    except versions.IncompatibleVersionsError as error:
        _give_up(str(error))


def _run(config: "ServerConfig") -> None:
    """Serves until it is told to stop."""
    import asyncio

    from weaklabel_server import app, logs

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

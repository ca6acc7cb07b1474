"""weaklabel admin health."""

from pathlib import Path
from typing import Annotated, Any

import typer

from weaklabel.cli.admin.common import reporting
from weaklabel.cli.options import AsJson
from weaklabel.cli.session import show_json

health = typer.Typer()


def _pem(text: str) -> Any:
    return typer.Option(metavar="FILE", help=text)


@health.command("health")
def show(
    address: Annotated[str, typer.Option(metavar="HOST:PORT", help="The server; or unix:PATH.")] = "127.0.0.1:50051",
    service: Annotated[
        str, typer.Option(help="One of its services, as weaklabel.v1.LabelService.", show_default="the whole server")
    ] = "",
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds to wait for the answer.")] = 5.0,
    ca: Annotated[Path | None, _pem("Call over TLS: the authority of the server's certificate, PEM.")] = None,
    server_name: Annotated[
        str | None, typer.Option(help="Name in the server's certificate, where it is not the host of the address.")
    ] = None,
    certificate: Annotated[Path | None, _pem("With mutual TLS: a certificate to show, PEM.")] = None,
    key: Annotated[Path | None, _pem("Its key, PEM.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a server for its health, as probes do: exit status 0 where it serves. It needs no token."""
    with reporting("admin health"):
        from weaklabel_server.admin import probe

        status = probe.ask(address, service, timeout, probe.TlsSide(ca, server_name, certificate, key))
        if as_json:
            show_json({"address": address, "service": service, "status": status})
        else:
            typer.echo(status)
        if status != "SERVING":
            raise typer.Exit(1)

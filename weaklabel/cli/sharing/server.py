"""A connection to a server, with its errors as those of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weaklabel.errors import WeaklabelError

if TYPE_CHECKING:
    from weaklabel_client import Client

Server = Annotated[str, typer.Option("--server", metavar="HOST:PORT", help="Address of the server.")]
Project = Annotated[str, typer.Option("--project", metavar="ID", help="Project on the server.")]
Tls = Annotated[
    bool, typer.Option("--tls", help="Encrypt, and trust the authorities that the machine trusts; see --ca.")
]
Authority = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Encrypt, and trust these (PEM).")]


class ServerError(WeaklabelError):
    """A server refuses a call, or cannot be reached."""


@contextmanager
def connected(address: str, *, tls: bool, authority: Path | None, needed_for: str) -> Iterator[Client]:
    """A client, which sends the token of the environment if there is one.

    Raises:
        MissingExtraError: if the client is not installed.
        InvalidArgumentError: for what the client refuses before anything is sent.
        ServerError: for what the server says, or where it does not answer.
    """
    from weaklabel._extras import require
    from weaklabel.errors import InvalidArgumentError

    require("weaklabel_client", extra="client", needed_for=needed_for)
    from weaklabel_client import Client, ClientError

    try:
        with Client(address, tls=tls if authority is None else authority) as client:
            yield client
    except ClientError as error:
        raise ServerError(f"{address}: {error}") from error
    except WeaklabelError:
        raise
    except ValueError as error:
        hint = " (here by --tls or --ca FILE)" if "tls=" in str(error) else ""  # the client speaks of its arguments
        raise InvalidArgumentError(f"{error}{hint}") from error

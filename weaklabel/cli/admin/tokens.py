"""weaklabel admin tokens."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from weaklabel.cli.admin.common import DataDir, reporting
from weaklabel.cli.options import AsJson
from weaklabel.cli.session import show_json

tokens = typer.Typer(name="tokens", help="Bearer tokens of callers.", no_args_is_help=True)

Days = Annotated[float | None, typer.Option(min=0, help="For how many days it holds.", show_default="for good")]
TokenId = Annotated[str, typer.Argument(metavar="ID", help="The part between wl_ and the secret, as listed.")]


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is; it stands in the audit trail.")],
    grant: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE:PROJECTS",
            help="read, write or admin, each with those before it; on a project, on team-a-* or on *. More than once.",
        ),
    ],
    days: Days = None,
    calls_per_second: Annotated[float | None, typer.Option(min=0.001, help="Limit of its own.")] = None,
    bytes_per_second: Annotated[float | None, typer.Option(min=1, help="Limit of its own.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token. It is printed once, and kept nowhere: the store has a hash of it."""
    with reporting("admin tokens create"):
        from weaklabel_server.admin import tokens as admin

        limits = {"calls_per_second": calls_per_second, "bytes_per_second": bytes_per_second}
        typer.echo(admin.create(data_dir, name, grant, days=days, **limits))


@tokens.command(name="list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List tokens: id, state, when it ends, name, grants."""
    with reporting("admin tokens list"):
        from weaklabel_server.admin import tokens as admin

        rows: list[dict[str, Any]] = [
            {
                "id": row.token_id,
                "state": admin.state(row),
                "ends": None if row.expire_time is None else datetime.fromtimestamp(row.expire_time / 1e6, UTC),
                "name": row.name,
                "grants": list(row.grants),
            }
            for row in admin.every(data_dir)
        ]
        if as_json:
            show_json({"tokens": [row | {"ends": row["ends"] and row["ends"].isoformat()} for row in rows]})
            return
        for row in rows:
            ends = "never" if row["ends"] is None else f"{row['ends']:%F %T}"
            typer.echo("\t".join([row["id"], row["state"], ends, row["name"], " ".join(row["grants"])]))


@tokens.command()
def rotate(
    token_id: TokenId,
    overlap_hours: Annotated[float, typer.Option(min=0, help="For how long the secret before holds, too.")] = 24.0,
    days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Give a token another secret. It is printed once; id, name and grants stay."""
    with reporting("admin tokens rotate"):
        from weaklabel_server.admin import tokens as admin

        typer.echo(admin.rotate(data_dir, token_id, overlap_hours=overlap_hours, days=days))


@tokens.command()
def revoke(token_id: TokenId, data_dir: DataDir = None) -> None:
    """End a token. Servers that run refuse it within seconds."""
    with reporting("admin tokens revoke"):
        from weaklabel_server.admin import tokens as admin

        admin.revoke(data_dir, token_id)

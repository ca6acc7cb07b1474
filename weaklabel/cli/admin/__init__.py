"""weaklabel admin: what whoever runs the server does with its store."""

import typer

from weaklabel.cli.admin.audit import audit
from weaklabel.cli.admin.health import health
from weaklabel.cli.admin.quotas import quotas
from weaklabel.cli.admin.store import store
from weaklabel.cli.admin.tokens import tokens

admin = typer.Typer(
    name="admin", help="Look after the store of a server, while it serves or not.", no_args_is_help=True
)
for group in (store, tokens, audit, quotas, health):
    admin.add_typer(group)

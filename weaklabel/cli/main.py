"""The command line. Commands load what they need when they run, so that --help is quick."""

from typing import Annotated

import typer

from weaklabel._version import __version__
from weaklabel.cli.admin import admin
from weaklabel.cli.analyze import analyze
from weaklabel.cli.convert import convert
from weaklabel.cli.doctor import doctor
from weaklabel.cli.errors import errors
from weaklabel.cli.fit import fit, predict
from weaklabel.cli.functions.apply import apply
from weaklabel.cli.serve import serve
from weaklabel.cli.sharing.projects import export_project, import_project
from weaklabel.cli.sharing.push import pull, push
from weaklabel.cli.sharing.report import card, report

app = typer.Typer(
    name="weaklabel",
    help="Weak supervision: votes of labeling functions, prompts and people in, calibrated soft labels out.",
    no_args_is_help=True,
    add_completion=False,
    # The rich form of --help shows flags as "--version <bool>".
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (apply, fit, predict, analyze, report, errors, card, convert, push, pull, serve, doctor):
    app.command()(command)
app.command("export")(export_project)
app.command("import")(import_project)
app.add_typer(admin)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"weaklabel {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""

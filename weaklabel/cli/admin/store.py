"""weaklabel admin backup, restore, export, import, check, migrate and gc."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from weaklabel._extras import require
from weaklabel.cli.options import AsJson
from weaklabel.cli.session import show_json
from weaklabel.errors import MissingExtraError

store = typer.Typer()

DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the server's database; WEAKLABEL_DATABASE_URL goes before it."),
]


@store.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to write. Its SHA-256 comes beside it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole store, as it is at one moment, into one file; PostgreSQL has pg_dump for it.

    Responses to prompts are copied beside it, where there are any.
    """
    config = _config(data_dir)
    from weaklabel_server.admin import backup as work

    if config.database_url:
        _give_up("backup", "PostgreSQL has its own: pg_dump --format=custom --file=FILE URL, and pg_restore")
    digests = _run("backup", lambda: work.back_up(config.data_dir, target.expanduser()))
    paths = {target.with_name(name): digest for name, digest in digests.items()}
    sizes = {path: path.expanduser().stat().st_size for path in paths}
    if as_json:
        files = [{"path": str(path), "bytes": sizes[path], "sha256": digest} for path, digest in paths.items()]
        show_json({"files": files})
        return
    for path, digest in paths.items():
        typer.echo(f"{path}: {sizes[path]} bytes, sha256 {digest}")


@store.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A backup, or a weaklabel.db that has lost its log.")],
    data_dir: DataDir = None,
) -> None:
    """Put a backup into an empty data folder, checked."""
    config = _config(data_dir)
    from weaklabel_server.admin import backup as work

    if config.database_url:
        _give_up("restore", "PostgreSQL has its own: pg_restore --dbname=URL FILE")
    _run("restore", lambda: work.restore(source.expanduser(), config.data_dir))
    typer.echo(f"restored into {config.data_dir}; next: weaklabel admin check --data-dir {config.data_dir}")


@store.command("export")
def export_project(
    project: Annotated[str, typer.Argument(help="Id of the project.")],
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet, or empty.")],
    data_dir: DataDir = None,
    votes_version: Annotated[
        int | None, typer.Option(min=1, help="Version of the votes; the newest by default.")
    ] = None,
    models: Annotated[int | None, typer.Option(min=0, help="At most so many models, the newest.")] = None,
) -> None:
    """Write a project to a folder of Parquet files, while it is served or not; `weaklabel export` asks a server."""
    config = _config(data_dir)
    from weaklabel_server.admin import portable as work

    target, version = folder.expanduser(), votes_version or 0
    _run("export", lambda: work.export(config, project, target, votes_version=version, max_models=models))
    typer.echo(f"wrote {folder}")


@store.command("import")
def import_project(
    folder: Annotated[Path, typer.Argument(help="A folder of weaklabel export.")],
    project: Annotated[str, typer.Argument(help="Id of the project, which is not there yet.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a project of a folder of Parquet files, while the store is served or not."""
    config = _config(data_dir)
    from weaklabel_server.admin import portable as work

    made = _run("import", lambda: work.import_folder(config, folder.expanduser(), project))
    if as_json:
        counts = {"items": made.item_count, "sources": made.source_count, "votes_version": made.votes_version}
        show_json({"project": project, **counts})
        return
    typer.echo(
        f"{project}: {made.item_count} items, {made.source_count} sources, version {made.votes_version} of the votes"
    )


@store.command()
def check(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Look whether the store is whole: exit status 1 where it is not."""
    config = _config(data_dir)
    from weaklabel_server.admin import checks, prompt_caches
    from weaklabel_server.admin.opening import open_store

    def work() -> tuple[list[str], dict[str, int]]:
        with open_store(config, guest=True) as database, database.read() as tx:
            damages, counts = checks.check(tx), checks.counts(tx)
        damages += prompt_caches.damages(config.data_dir)
        return damages, counts | prompt_caches.counts(config.data_dir)

    damages, counts = _run("check", work)
    if as_json:
        show_json({"whole": not damages, "rows": counts, "damages": damages})
    else:
        typer.echo("\n".join(f"{name}: {count} rows" for name, count in counts.items()))
    for damage in damages:
        typer.echo(damage, err=True)
    if damages:
        _give_up("check", "the store is damaged; restore a backup into a new folder by weaklabel admin restore")
    if not as_json:
        typer.echo("the store is whole")


@store.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to the schema of this version, as the start of a server does."""
    config = _config(data_dir)
    from weaklabel_server.admin.opening import open_store

    def work() -> None:
        with open_store(config, alone=True):
            pass

    _run("migrate", work)
    typer.echo("the store has the schema of this version")


@store.command()
def gc(
    data_dir: DataDir = None,
    keep_models: Annotated[int | None, typer.Option(min=0, help="Newest models of a project to keep; 0: all.")] = None,
    keep_versions: Annotated[
        int | None, typer.Option(min=0, help="Newest versions of the votes of a project to keep; 0: all.")
    ] = None,
    keep_days: Annotated[float | None, typer.Option(min=0.0, help="What is younger is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Remove what need not be kept, as the server does every hour. Options go before its WEAKLABEL_KEEP_* settings."""
    import asyncio

    config = _config(data_dir)
    from weaklabel_server.admin.opening import open_store
    from weaklabel_server.admin.retention import Retention, collect

    kept = Retention(
        keep_days=config.keep_days if keep_days is None else keep_days,
        keep_models=config.keep_models if keep_models is None else keep_models,
        keep_versions=config.keep_versions if keep_versions is None else keep_versions,
        audit_days=config.audit_days,
    )

    def work() -> Any:
        with open_store(config) as database:
            return asyncio.run(collect(database, kept, wait=False))

    removed = _run("gc", work)
    if as_json:
        show_json({"removed": asdict(removed)})
    else:
        typer.echo(f"removed: {removed}")


def _config(data_dir: Path | None) -> Any:
    try:
        require("weaklabel_server.config", extra="server", needed_for="weaklabel admin")
    except MissingExtraError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    from weaklabel_server import settings
    from weaklabel_server.config import ServerConfig

    try:
        return settings.read(ServerConfig, {} if data_dir is None else {"data_dir": data_dir})
    except settings.SettingsError as error:
        _give_up("", str(error))


def _run(command: str, work: Callable[[], Any]) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    from weaklabel_server.admin.opening import AdminError
    from weaklabel_server.errors import ServiceError
    from weaklabel_server.store.database import StoreUnusableError

    try:
        return work()
    except (AdminError, ServiceError, StoreUnusableError, SQLAlchemyError, OSError) as error:
        _give_up(command, str(error))


def _give_up(command: str, message: str) -> NoReturn:
    typer.echo(f"weaklabel admin {command}: {message}", err=True)
    raise typer.Exit(1)

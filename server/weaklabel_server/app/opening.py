"""What a server opens before it serves, and why it cannot start where something does not open."""

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weaklabel.errors import InvalidArgumentError, MissingExtraError
from weaklabel_server import address
from weaklabel_server.access.authenticator import Authenticator
from weaklabel_server.access.tls import Certificates, TlsError, TlsFiles
from weaklabel_server.config import ServerConfig
from weaklabel_server.errors import ServiceError
from weaklabel_server.prompt_settings import PromptFile, PromptSettingsError
from weaklabel_server.store.database import Database, StoreUnusableError, sqlite_url
from weaklabel_server.store.dialects.folder import lock_data_dir, make_private

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts


class StartError(Exception):
    """The server cannot start; the message says why and what to do."""


def check_address(config: ServerConfig) -> None:
    """Refuses an address that is none, or that other machines reach without protection.

    Raises:
        StartError: It is refused.
    """
    if (fault := address.fault(config.listen)) is not None:
        raise StartError(f"cannot listen on {config.listen}: {fault}")
    if not (config.is_loopback or config.insecure) and (missing := _missing_protection(config)):
        raise StartError(
            f"{config.listen} can be reached from other machines, and {missing}: "
            "listen on 127.0.0.1, or allow it with --insecure"
        )


def read_certificates(config: ServerConfig) -> Certificates | None:
    """The certificates of the settings; None where there is no TLS.

    Raises:
        StartError: They cannot be read.
    """
    if config.tls_certificate is None or config.tls_key is None:
        return None
    try:
        return Certificates(TlsFiles(config.tls_certificate, config.tls_key, config.tls_client_ca))
    except TlsError as error:
        raise StartError(f"TLS: {error}") from None


def open_data_dir(config: ServerConfig, stack: AsyncExitStack) -> None:
    """Makes the data folder, and locks it where the store lies in it, until the stack is closed.

    Raises:
        StartError: It cannot be used.
    """
    try:
        make_private(config.data_dir)
        if config.database_url is None:  # servers may share another database
            stack.callback(os.close, lock_data_dir(config.data_dir))
    except StoreUnusableError as error:
        raise StartError(str(error)) from None


def open_database(config: ServerConfig) -> Database:
    """The store. Blocks.

    Raises:
        StartError: It cannot be opened.
    """
    where = "the database of WEAKLABEL_DATABASE_URL" if config.database_url else str(config.data_dir)
    try:
        return Database(config.database_url or sqlite_url(config.data_dir))
    except (ServiceError, StoreUnusableError) as error:
        cause = error.__cause__
        detail = f" ({cause.orig})" if isinstance(cause, DBAPIError) else ""
        raise StartError(f"cannot open {where}: {error}{detail}") from None
    except (SQLAlchemyError, CommandError, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StartError(f"cannot open {where}: {reason}") from None


def open_prompts(config: ServerConfig, database: Database, authenticator: Authenticator) -> "Prompts | None":
    """What runs prompts; None where the settings name no models for them. Blocks.

    Raises:
        StartError: The settings of prompts are wrong, or their packages are not installed.
    """
    if config.prompts_file is None:
        return None
    from weaklabel.prompts.engine import require_packages
    from weaklabel_server.jobs.prompts import Prompts

    try:
        require_packages()
    except MissingExtraError as error:
        raise StartError(
            f'WEAKLABEL_PROMPTS_FILE: runs of prompts need {error.name}: pip install "weaklabel[server,prompts]"'
        ) from None
    try:
        settings = PromptFile.read(config.prompts_file)
        return Prompts(
            database,
            settings,
            config.data_dir,
            max_cells=config.max_votes_cells,
            max_runs=config.max_prompt_runs,
            max_calls=config.max_prompt_calls,
            keep_apart=lambda: authenticator.is_required,
        )
    except PromptSettingsError as error:
        raise StartError(f"WEAKLABEL_PROMPTS_FILE: {error}") from None
    except InvalidArgumentError as error:
        raise StartError(f"WEAKLABEL_PROMPTS_FILE: {config.prompts_file}: {error}") from None


def _missing_protection(config: ServerConfig) -> str:
    """What an address that other machines reach lacks; empty where it lacks nothing."""
    if config.tls_certificate is None:
        return "there is no TLS (tls_certificate and tls_key)"
    return "" if config.tokens_required else "calls need no token (require_tokens)"

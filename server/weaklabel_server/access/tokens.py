"""Bearer tokens: wl_ID_SECRET, of which the store holds the id and a hash of the secret."""

import hashlib
import re
import secrets
from typing import NamedTuple

from weaklabel_server.caller import Grant, Scope

_FORM = re.compile(r"wl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_PATTERN = re.compile(r"\*|[a-z0-9][a-z0-9_-]{0,62}\*?")
_SECRET_BYTES = 32


class Token(NamedTuple):
    """A token in two parts; only its holder has the secret."""

    token_id: str
    secret: str

    def __repr__(self) -> str:
        return f"<Token {self.token_id}>"

    @property
    def secret_hash(self) -> bytes:
        """SHA-256: the secret is 256 random bits, so that nothing slower would make guessing harder."""
        return hashlib.sha256(self.secret.encode()).digest()

    def written(self) -> str:
        """The form that its holder sends."""
        return f"wl_{self.token_id}_{self.secret}"


def new(token_id: str | None = None) -> Token:
    """A token with a random secret, under a new id where none is given."""
    return Token(token_id or secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES))


def read(written: str) -> Token | None:
    """The parts of a token; None for what is none."""
    found = _FORM.fullmatch(written)
    return None if found is None else Token(*found.groups())


def read_grant(text: str) -> Grant:
    """Reads "write:team-a-*": a scope, and a project, the beginning of ids, or * for all projects.

    Raises:
        ValueError: It is none; the message says what is.
    """
    scope, _, projects = text.partition(":")
    if scope not in ("read", "write", "admin"):
        raise ValueError(f'"{text}": a grant begins with read:, write: or admin:')
    if not _PATTERN.fullmatch(projects):
        raise ValueError(f'"{text}": after the colon stands a project id, the beginning of ids as in team-a-*, or *')
    return Grant(Scope[scope.upper()], projects)


def write_grant(grant: Grant) -> str:
    """The other way round."""
    return f"{grant.scope.name.lower()}:{grant.projects}"

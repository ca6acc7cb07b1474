"""Tokens as they are stored: grants, times and hashes, and no secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.store import schema

_tokens = schema.tokens.c


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """A token. Times are microseconds; grants are as access.tokens.read_grant reads them."""

    token_id: str
    name: str
    grants: tuple[str, ...]
    secret_hash: bytes
    previous_hash: bytes | None = None
    previous_expire_time: int | None = None
    create_time: int = 0
    expire_time: int | None = None
    revoke_time: int | None = None
    calls_per_second: float | None = None
    bytes_per_second: float | None = None


Stamp = tuple[int, int]
"""Differs when any token was changed."""


def stamp(tx: Connection) -> Stamp:
    """That of the tokens as they stand."""
    count, revisions = tx.execute(select(func.count(), func.coalesce(func.sum(_tokens.revision), 0))).one()
    return int(count), int(revisions)


def every(tx: Connection) -> list[TokenRow]:
    """All tokens, the oldest first, with those that are revoked or have expired."""
    return [_row(row) for row in tx.execute(select(schema.tokens).order_by(_tokens.create_time, _tokens.token_id))]


def find(tx: Connection, token_id: str) -> TokenRow | None:
    """One token, or None."""
    row = tx.execute(select(schema.tokens).filter_by(token_id=token_id)).first()
    return None if row is None else _row(row)


def create(
    tx: Connection,
    token_id: str,
    name: str,
    grants: Sequence[str],
    secret_hash: bytes,
    *,
    expire_time: int | None = None,
    calls_per_second: float | None = None,
    bytes_per_second: float | None = None,
) -> None:
    """Adds a token."""
    tx.execute(
        insert(schema.tokens).values(
            token_id=token_id,
            name=name,
            grants=list(grants),
            secret_hash=secret_hash,
            create_time=now_micros(),
            expire_time=expire_time,
            calls_per_second=calls_per_second,
            bytes_per_second=bytes_per_second,
            revision=1,
        )
    )


def rotate(
    tx: Connection, token: TokenRow, secret_hash: bytes, *, previous_expire_time: int, expire_time: int | None
) -> None:
    """Gives a token another secret; the one that it had holds until a time."""
    _change(
        tx,
        token.token_id,
        secret_hash=secret_hash,
        previous_hash=token.secret_hash,
        previous_expire_time=previous_expire_time,
        expire_time=expire_time,
    )


def revoke(tx: Connection, token_id: str) -> None:
    """Ends a token, with both of its secrets."""
    _change(tx, token_id, revoke_time=now_micros())


def _change(tx: Connection, token_id: str, **values: Any) -> None:
    statement = update(schema.tokens).where(_tokens.token_id == token_id)
    tx.execute(statement.values(revision=_tokens.revision + 1, **values))


def _row(row: Row[Any]) -> TokenRow:
    values = dict(row._mapping)
    del values["revision"]
    return TokenRow(**values | {"grants": tuple(row.grants)})

"""Bearer tokens. The whole of a token is returned once, and kept nowhere."""

from collections.abc import Sequence
from pathlib import Path

from weaklabel_server.access import tokens as written
from weaklabel_server.admin.noting import noted
from weaklabel_server.admin.opening import AdminError, opened
from weaklabel_server.clock import MICROS_PER_DAY, now_micros
from weaklabel_server.store.access import audit, tokens
from weaklabel_server.store.access.tokens import TokenRow

MAX_NAME = 255


def create(
    data_dir: Path | None,
    name: str,
    grants: Sequence[str],
    *,
    days: float | None,
    calls_per_second: float | None = None,
    bytes_per_second: float | None = None,
) -> str:
    """Makes a token, and returns it.

    Args:
        data_dir: Of the server.
        name: Whose it is; it stands in the audit trail.
        grants: "write:team-a-*" and the like; at least one.
        days: For how long it holds; None for good.
        calls_per_second: Limit of its own.
        bytes_per_second: Likewise.

    Raises:
        AdminError: A grant is none, the name is empty, or the store cannot be opened.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise AdminError(f"a name has 1 to {MAX_NAME} characters that can be printed")
    try:
        read = [written.write_grant(written.read_grant(text)) for text in grants]
    except ValueError as error:
        raise AdminError(str(error)) from None
    if not read:
        raise AdminError("a token needs at least one grant, such as read:spam")
    token = written.new()
    with opened(data_dir) as database, noted("admin tokens create", f"tokens/{token.token_id}"), database.write() as tx:
        tokens.create(
            tx,
            token.token_id,
            name,
            read,
            token.secret_hash,
            expire_time=_in_days(days),
            calls_per_second=calls_per_second,
            bytes_per_second=bytes_per_second,
        )
        audit.record(tx)
    return token.written()


def rotate(data_dir: Path | None, token_id: str, *, overlap_hours: float, days: float | None) -> str:
    """Gives a token another secret, and returns it whole; the secret before holds for so many hours more.

    Raises:
        AdminError: There is no such token, or it was revoked; it expires, and `days` is not given; or the store cannot
            be opened.
    """
    token = written.new(token_id)
    with opened(data_dir) as database, noted("admin tokens rotate", f"tokens/{token_id}"), database.write() as tx:
        row = tokens.find(tx, token_id)
        if row is None or row.revoke_time is not None:
            raise AdminError(f'there is no token "{token_id}"' if row is None else f'token "{token_id}" was revoked')
        if row.expire_time is not None and days is None:
            raise AdminError(f'token "{token_id}" expires: say for how many days the new secret holds')
        now = now_micros()
        overlap = now + int(overlap_hours / 24 * MICROS_PER_DAY)
        # The secret before never holds longer than it would have.
        previous = min(overlap, overlap if row.expire_time is None else row.expire_time)
        tokens.rotate(tx, row, token.secret_hash, previous_expire_time=previous, expire_time=_in_days(days))
        audit.record(tx)
    return token.written()


def revoke(data_dir: Path | None, token_id: str) -> None:
    """Ends a token; running servers refuse it within seconds.

    Raises:
        AdminError: There is no such token, or the store cannot be opened.
    """
    with opened(data_dir) as database, noted("admin tokens revoke", f"tokens/{token_id}"), database.write() as tx:
        row = tokens.find(tx, token_id)
        if row is None:
            raise AdminError(f'there is no token "{token_id}"')
        if row.revoke_time is None:
            tokens.revoke(tx, token_id)
            audit.record(tx)


def every(data_dir: Path | None) -> list[TokenRow]:
    """All tokens, the oldest first, with those that do not hold any more.

    Raises:
        AdminError: The store cannot be opened.
    """
    with opened(data_dir) as database, database.read() as tx:
        return tokens.every(tx)


def state(row: TokenRow) -> str:
    """Whether a token holds: "valid", "expired" or "revoked"."""
    if row.revoke_time is not None:
        return "revoked"
    return "expired" if row.expire_time is not None and row.expire_time <= now_micros() else "valid"


def _in_days(days: float | None) -> int | None:
    return None if days is None else now_micros() + int(days * MICROS_PER_DAY)

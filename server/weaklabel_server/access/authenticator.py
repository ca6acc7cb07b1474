"""Who a call comes from: the tokens of the store, kept in memory for seconds."""

import asyncio
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from weaklabel_server.access import tokens as written
from weaklabel_server.access.rates import Rates
from weaklabel_server.access.tokens import Token
from weaklabel_server.caller import Rights
from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store.access import tokens
from weaklabel_server.store.access.tokens import Stamp, TokenRow
from weaklabel_server.store.database import Database

_HEADER = "authorization"
_SCHEME = "bearer "
_UNKNOWN_SECONDS = 0.2

Cause = Literal["missing", "malformed", "unknown", "expired", "revoked"]
_MESSAGES: dict[Cause, str] = {
    "missing": "this server needs a token: send it as authorization: Bearer wl_ID_SECRET",
    "malformed": "the authorization is not of the form Bearer wl_ID_SECRET",
    "unknown": "the server knows no such token",
    "expired": "the token has expired; whoever runs the server can rotate it",
    "revoked": "the token was revoked",
}


@dataclass(frozen=True)
class Principal:
    """The holder of a token, and what the token allows."""

    token: Token
    name: str
    rights: Rights
    rates: Rates


class Authenticator:
    """Knows the tokens. Used on the event loop only."""

    def __init__(
        self,
        database: Database,
        *,
        require: bool | None,
        refresh_seconds: float,
        calls_per_second: float,
        bytes_per_second: float,
    ) -> None:
        """Knows no token before the first call.

        Args:
            database: The store.
            require: Whether calls need a token; None: once there is a token, whether or not it still holds.
            refresh_seconds: How old what is in memory may be.
            calls_per_second: Of a token that has no such limit of its own.
            bytes_per_second: Likewise.
        """
        self._database = database
        self._require = require
        self._refresh_seconds = refresh_seconds
        self._default_rates = calls_per_second, bytes_per_second
        self._refreshing = asyncio.Lock()
        self._read_time = float("-inf")
        self._stamp: Stamp | None = None
        self._rows: dict[str, TokenRow] = {}
        self._rights: dict[str, Rights] = {}
        self._rates: dict[str, Rates] = {}

    @property
    def is_required(self) -> bool:
        """Whether calls need a token, as far as is known."""
        return bool(self._rows) if self._require is None else self._require

    @property
    def has_tokens(self) -> bool:
        """Whether there is a token, as far as is known."""
        return bool(self._rows)

    async def authenticate(self, metadata: Iterable[tuple[str, str | bytes]]) -> Principal | None:
        """Who sends this metadata; None where calls need no token.

        Raises:
            ServiceError: UNAUTHENTICATED.
        """
        await self.refresh()
        if not self.is_required:
            return None
        values = [value for key, value in metadata if key == _HEADER]
        if not values:
            raise _refused("missing")
        token = _read(values[0]) if len(values) == 1 else None
        if token is None:
            raise _refused("malformed")
        try:
            row = self._valid(token)
        except ServiceError:
            # It may be newer than what is in memory. Not read again for each call, so that none of them is dear.
            await self.refresh(min(_UNKNOWN_SECONDS, self._refresh_seconds))
            row = self._valid(token)
        return Principal(token, row.name, self._rights[row.token_id], self._rates[row.token_id])

    async def check(self, principal: Principal) -> None:
        """Refuses a token that held when its call began, and does no more.

        Raises:
            ServiceError: UNAUTHENTICATED.
        """
        await self.refresh()
        self._valid(principal.token)

    async def refresh(self, seconds: float | None = None) -> None:
        """Reads what has changed in the store, if it was not looked at for so long; None: for refresh_seconds."""
        limit = self._refresh_seconds if seconds is None else seconds
        if self._is_fresh(limit):
            return
        async with self._refreshing:
            if not self._is_fresh(limit):
                # Before it is read, so that nothing is taken for newer than it is.
                now = time.monotonic()
                changed = await self._database.run_read(_changed, self._stamp)
                if changed is not None:
                    self._take(*changed)
                self._read_time = now

    def _is_fresh(self, seconds: float) -> bool:
        return time.monotonic() - self._read_time < seconds

    def _take(self, stamp: Stamp, rows: list[TokenRow]) -> None:
        self._stamp = stamp
        self._rows = {row.token_id: row for row in rows}
        self._rights = {row.token_id: Rights(tuple(map(written.read_grant, row.grants))) for row in rows}
        before = self._rates
        self._rates = {}
        for row in rows:
            calls, n_bytes = self._default_rates
            limits = row.calls_per_second or calls, row.bytes_per_second or n_bytes
            known = before.get(row.token_id)
            self._rates[row.token_id] = known if known and known.limits == limits else Rates(*limits)

    def _valid(self, token: Token) -> TokenRow:
        row = self._rows.get(token.token_id)
        # Compared where there is no such token, too, so that ids cannot be told by the time that it takes.
        current, previous = (row.secret_hash, row.previous_hash) if row else (b"", None)
        given = token.secret_hash
        is_current, is_previous = (hmac.compare_digest(given, one or bytes(32)) for one in (current, previous))
        if row is None or not (is_current or is_previous):
            raise _refused("unknown")
        if row.revoke_time is not None:
            raise _refused("revoked")
        ends = row.expire_time if is_current else min(row.previous_expire_time or 0, row.expire_time or 2**63)
        if ends is not None and ends <= now_micros():
            raise _refused("expired")
        return row


def _changed(tx: Connection, known: Stamp | None) -> tuple[Stamp, list[TokenRow]] | None:
    stamp = tokens.stamp(tx)
    return None if stamp == known else (stamp, tokens.every(tx))


def _read(value: str | bytes) -> Token | None:
    if isinstance(value, bytes) or not value.lower().startswith(_SCHEME):
        return None
    return written.read(value[len(_SCHEME) :].strip())


def _refused(cause: Cause) -> ServiceError:
    return ServiceError(Reason.UNAUTHENTICATED, _MESSAGES[cause], metadata={"cause": cause})

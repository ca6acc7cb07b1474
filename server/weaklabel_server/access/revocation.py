"""Long calls end when their token does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from weaklabel_server.access.authenticator import Authenticator, Principal
from weaklabel_server.errors import Reason, ServiceError

CHECK_SECONDS = 1.0


class UntilRevoked:
    """A block that ends with UNAUTHENTICATED when its token is revoked or expires; without a token, a block."""

    def __init__(self, authenticator: Authenticator, principal: Principal | None) -> None:
        self._authenticator = authenticator
        self._principal = principal
        self._watcher: asyncio.Task[None] | None = None
        self._error: ServiceError | None = None
        self._inside = True

    async def __aenter__(self) -> Self:
        if self._principal is not None:
            running = asyncio.current_task()
            assert running is not None
            self._watcher = asyncio.create_task(self._watch(running, self._principal))
        return self

    async def __aexit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self._error is not None and isinstance(error, asyncio.CancelledError):
            running = asyncio.current_task()
            assert running is not None
            if running.uncancel() == 0:
                raise self._error from None

    @contextmanager
    def away(self) -> Iterator[None]:
        """While the task is out of the block, as a generator is that has yielded: it is not interrupted there."""
        self._inside = False
        try:
            yield
        finally:
            self._inside = True
        if self._error is not None:
            raise self._error

    async def _watch(self, running: asyncio.Task[object], principal: Principal) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._authenticator.check(principal)
            except Exception as error:
                if not isinstance(error, ServiceError) or error.reason is not Reason.UNAUTHENTICATED:
                    continue  # the store cannot be read now: nothing is known of the token
                self._error = error
                if self._inside:
                    running.cancel()
                return

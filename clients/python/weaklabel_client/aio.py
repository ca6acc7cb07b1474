"""The client for asyncio: the methods of weaklabel_client.Client as coroutines and asynchronous iterators.

Arguments, results and errors are those of weaklabel_client.Client, where they are described.
"""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from types import TracebackType
from typing import Self

import grpc

from weaklabel_client._aio.connection import Connection
from weaklabel_client._aio.estimates import Estimates
from weaklabel_client._aio.inspection import Inspection
from weaklabel_client._aio.labels import Labels
from weaklabel_client._aio.models import Models
from weaklabel_client._aio.operations import FitOperation, PromptOperation
from weaklabel_client._aio.projects import Projects
from weaklabel_client._aio.prompts import Prompts
from weaklabel_client._aio.records import Records
from weaklabel_client._aio.releases import Releases
from weaklabel_client._aio.reports import Reports
from weaklabel_client._aio.votes import Votes
from weaklabel_client._connection import channel

__all__ = ["Client", "FitOperation", "PromptOperation", "Prompts"]


class Client(Projects, Votes, Records, Models, Labels, Reports, Releases, Estimates, Inspection):
    """A connection to a weaklabel server, for one event loop. See weaklabel_client.Client."""

    def __init__(
        self,
        target: str,
        *,
        token: str | None = None,
        tls: channel.Tls = False,
        client_certificate: tuple[channel.AnyPath, channel.AnyPath] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        insecure: bool = False,
        timeout: float = channel.TIMEOUT,
        reconnect_timeout: float = channel.RECONNECT_TIMEOUT,
    ) -> None:
        """Opens the channel on the running event loop; the connection is made with the first call.

        Raises:
            RuntimeError: No event loop runs.
        """
        self._connection = Connection(
            target,
            security=channel.security(
                target,
                token=token,
                tls=tls,
                client_certificate=client_certificate,
                credentials=credentials,
                insecure=insecure,
            ),
            timeout=timeout,
            reconnect_timeout=reconnect_timeout,
        )

    def __repr__(self) -> str:
        return f"<Client of {self._connection.target}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        await self._connection.close()

    async def wait_for_ready(self, timeout: float = channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most."""
        await self._connection.wait_for_ready(timeout)

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self._connection)

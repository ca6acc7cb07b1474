"""The client for code that waits. The asyncio client is weaklabel_client.aio."""

from types import TracebackType
from typing import Self

import grpc

from weaklabel_client._connection import channel
from weaklabel_client._sync.connection import Connection
from weaklabel_client._sync.estimates import Estimates
from weaklabel_client._sync.inspection import Inspection
from weaklabel_client._sync.labels import Labels
from weaklabel_client._sync.models import Models
from weaklabel_client._sync.projects import Projects
from weaklabel_client._sync.prompts import Prompts
from weaklabel_client._sync.records import Records
from weaklabel_client._sync.releases import Releases
from weaklabel_client._sync.reports import Reports
from weaklabel_client._sync.votes import Votes


class Client(Projects, Votes, Records, Models, Labels, Reports, Releases, Estimates, Inspection):
    """A connection to a weaklabel server. Safe to share between threads.

    Wherever a project is asked for, "spam" and "projects/spam" both do. A model is named by its id, which is the last
    part of `Model.name`, or by its full name; None is the newest. Votes are class indices 0..K-1, -1 where a source
    abstains, -2 where it failed, or vote objects (one_of, not_, soft) that say less than one class. They are arrays [N,
    M], data frames, whose columns name the sources where they are strings, or weaklabel's own Votes, with their names
    and ids; names and ids that a call gives come first.

    Every call raises a ClientError when the server refuses it or cannot be reached, and a ValueError for what can be
    seen to be wrong before anything is sent. Calls that break off are repeated safely; streams go on where
    they stopped.
    """

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
        """Opens the channel; the connection is made with the first call.

        Args:
            target: "host:port", or any other target of gRPC.
            token: Sent as "authorization: Bearer TOKEN"; that of the environment variable WEAKLABEL_TOKEN where not
                given. It needs TLS, unless the server is on this machine.
            tls: True for TLS with the authorities that gRPC trusts, or a file in PEM of those to trust instead.
            client_certificate: Files in PEM of the client's certificate and its key, where the server asks for one.
            credentials: Others of gRPC, in place of these two.
            insecure: Sends the token in clear text to other machines, too.
            timeout: Seconds that a unary call may take, unless the call says otherwise.
            reconnect_timeout: Seconds for which a broken stream is taken up again, where nothing arrives in between.

        Raises:
            ValueError: The token would leave the machine in clear text, or arguments exclude each other.
            OSError: A file cannot be read.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        self._connection.close()

    def wait_for_ready(self, timeout: float = channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most.

        Raises:
            Unavailable: It did not.
        """
        self._connection.wait_for_ready(timeout)

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self._connection)

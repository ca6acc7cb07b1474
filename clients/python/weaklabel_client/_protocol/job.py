"""Streaming calls as state machines that outlive connections.

A driver feeds the job what the user sends, connects, sends what the job has to send, and hands it each response. When
the connection is lost it connects again: the job knows where to go on.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from weaklabel_client._exceptions import ClientError
from weaklabel_client._protocol.rpcs import Request, Response, Rpc

WINDOW = 6  # chunks that are sent ahead of the replies

Output = TypeVar("Output")


class Job(ABC, Generic[Request, Response, Output]):
    """One streaming call, over as many connections as it takes."""

    rpc: Rpc[Request, Response]
    sent_all = False
    """Whether nothing is left to send over this connection."""
    _done = False

    def is_hungry(self) -> bool:
        """Whether a block of the user's input is wanted."""
        return False

    def is_done(self) -> bool:
        """Whether every reply has arrived."""
        return self._done

    def feed(self, block: Any) -> None:
        """Takes a block of the user's input, or None after the last one."""
        raise TypeError(f"{type(self).__name__} takes no input, got {type(block).__name__}")

    def needs_classes(self) -> str | None:
        """The project of which the number of classes is needed to go on; the server knows it."""
        return None

    def take_classes(self, n_classes: int) -> None:
        """Takes the number of classes."""
        raise TypeError(f"{type(self).__name__} does not need the {n_classes} classes")

    @abstractmethod
    def connected(self) -> None:
        """Begins anew with what has no reply yet, on a new connection."""

    @abstractmethod
    def requests(self) -> Iterator[Request]:
        """Returns what can be sent now."""

    @abstractmethod
    def received(self, response: Response) -> Iterator[Output]:
        """Takes a response, and returns what it completes."""

    def ended(self) -> None:
        """The server ended the stream without an error."""

    def gave_up(self, error: ClientError) -> ClientError:
        """Returns what to raise for an error that ends the job."""
        return error

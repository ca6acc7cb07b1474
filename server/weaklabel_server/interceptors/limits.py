"""How many calls there are at a time, of which kind and of whom, and how long one may be silent."""

import asyncio
import ipaddress
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from weaklabel_server.errors import Reason, ServiceError

Kind = Literal["call", "computation", "stream", "watch"]

_COMPUTATIONS = frozenset(
    {
        "/weaklabel.v1.LabelService/Predict",
        "/weaklabel.v1.LabelService/NextToLabel",
        "/weaklabel.v1.LabelService/GetSoftLabels",
        "/weaklabel.v1.LabelService/Explain",
        "/weaklabel.v1.LabelService/PredictSet",
        "/weaklabel.v1.AnalysisService/GetDiagnostics",
        "/weaklabel.v1.AnalysisService/Evaluate",
        "/weaklabel.v1.PromptService/PlanPrompts",
        "/weaklabel.v1.ReleaseService/GetCard",
    }
)
"""Short calls that wait for threads which compute; so they have places of their own."""
_WAIT = "/weaklabel.v1.OperationService/WaitOperation"
"""The one call that is not a stream and may last as long as one."""
_PROBE = "/grpc.health.v1.Health/Check"
"""It always has a place: it reads a word out of memory, and whoever supervises a server judges by it."""


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """The limits of one server. Times are in seconds."""

    max_calls: int
    """Short calls, and as many that compute."""
    max_streams: int
    max_watches: int
    """Streams of health and reflection."""
    peer_share: float
    """Of each kind of places, the most that one host may have."""
    silent_seconds: float
    """Until the first message of a call that is no stream of messages."""
    idle_seconds: float
    """Between two messages of a stream, in either direction."""
    max_message_bytes: int


class Places:
    """Places of one kind of calls. Used on the event loop only."""

    def __init__(self, limit: int, peer_share: float, reason: Reason, what: str, setting: str) -> None:
        self._limit = limit
        self._peer_limit = max(1, math.ceil(limit * peer_share))
        self._reason = reason
        self._what = what
        self._setting = setting
        self._taken: Counter[str] = Counter()
        self.count = 0
        """Places taken; may be read from any thread."""

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Holds a place for the length of the block.

        Raises:
            ServiceError: Of the reason given, when all are taken, or all that a host may have.
        """
        if self.count >= self._limit:
            raise self._full("server", self._limit, f"{self._limit} {self._what} are open; see {self._setting}")
        if self._taken[host] >= self._peer_limit:
            message = f"{self._peer_limit} {self._what} of this host are open; see WEAKLABEL_PEER_SHARE"
            raise self._full("peer", self._peer_limit, message)
        self._taken[host] += 1
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]

    def _full(self, scope: str, limit: int, message: str) -> ServiceError:
        return ServiceError(
            self._reason,
            f"{message}. Try again later, this server allows no more at a time",
            metadata={"limit": str(limit), "scope": scope},
        )


class WaitingRoom:
    """Where calls are until their first message has come: they have no place yet, and the longest silent give way.

    So nobody is kept out by calls that send nothing. Used on the event loop only.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[str, dict[object, asyncio.Timeout]] = {}
        self.count = 0
        """Calls in it; may be read from any thread."""

    async def first(self, incoming: AsyncIterator[bytes], host: str, seconds: float) -> bytes | None:
        """The first message of a call; None where the client ends it without one.

        Raises:
            ServiceError: STREAM_IDLE when it does not come within so many seconds; TOO_MANY_CALLS when it gives way.
        """
        if self.count >= self._limit:
            self._send_one_away()
        visit = object()
        self.count += 1
        try:
            async with asyncio.timeout(seconds) as timeout:
                self._waiting.setdefault(host, {})[visit] = timeout
                return await anext(incoming, None)
        except TimeoutError:
            if visit in self._waiting.get(host, {}):
                raise idle(seconds) from None
            raise ServiceError(
                Reason.TOO_MANY_CALLS,
                f"more than {self._limit} calls have sent no message yet; the oldest give way",
                metadata={"limit": str(self._limit), "scope": "server"},
            ) from None
        finally:
            self.count -= 1
            self._leave(host, visit)

    def _send_one_away(self) -> None:
        """The oldest of the host that has the most."""
        host = max(self._waiting, key=lambda one: len(self._waiting[one]), default=None)
        if host is not None:
            visit, timeout = next(iter(self._waiting[host].items()))
            timeout.reschedule(asyncio.get_running_loop().time())
            self._leave(host, visit)

    def _leave(self, host: str, visit: object) -> None:
        visits = self._waiting.get(host, {})
        visits.pop(visit, None)
        if not visits:
            self._waiting.pop(host, None)


class Admission:
    """The places of one server, by kinds."""

    def __init__(self, limits: CallLimits) -> None:
        self.limits = limits
        self.waiting_room = WaitingRoom(limits.max_calls + limits.max_streams)
        share = limits.peer_share
        calls = Reason.TOO_MANY_CALLS, "calls", "WEAKLABEL_MAX_CONCURRENT_RPCS"
        computations = Reason.TOO_MANY_CALLS, "predictions", "WEAKLABEL_MAX_CONCURRENT_RPCS"
        streams = Reason.TOO_MANY_STREAMS, "streams", "WEAKLABEL_MAX_STREAMS"
        watches = Reason.TOO_MANY_STREAMS, "streams of health and reflection", "WEAKLABEL_MAX_WATCHES"
        self._places: dict[Kind, Places] = {
            "call": Places(limits.max_calls, share, *calls),
            "computation": Places(limits.max_calls, share, *computations),
            "stream": Places(limits.max_streams, share, *streams),
            "watch": Places(limits.max_watches, share, *watches),
        }

    def in_flight(self) -> Mapping[str, int]:
        """Calls that have begun, by kind; "silent" are those of which no message has come. From any thread."""
        return {**{kind: places.count for kind, places in self._places.items()}, "silent": self.waiting_room.count}

    def is_alone(self) -> bool:
        """Whether the short call that computes now is the only one, and no other call has just come."""
        return self.waiting_room.count == 0 and self._places["computation"].count <= 1

    def open_streams(self) -> int:
        """Streams, of votes and labels and such, and waits."""
        return self._places["stream"].count

    @contextmanager
    def place(self, method: str, host: str, *, is_stream: bool) -> Iterator[None]:
        """Holds a place for a call of a method for the length of the block.

        Raises:
            ServiceError: TOO_MANY_CALLS, TOO_MANY_STREAMS.
        """
        if method == _PROBE:
            yield
            return
        with self._places[_kind(method, is_stream=is_stream)].place(host):
            yield


@lru_cache(4096)
def host_of(peer: str) -> str:
    """The host of a peer as gRPC names it; of IPv6 the network of 64 bits, which a single host has for itself."""
    scheme, _, address = unquote(peer).partition(":")
    if scheme not in ("ipv4", "ipv6"):
        return scheme
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


async def until_idle(messages: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The messages of a client, for as long as none of them is late.

    Raises:
        ServiceError: STREAM_IDLE when the client sends nothing for so many seconds.
    """
    incoming = aiter(messages)
    while True:
        try:
            async with asyncio.timeout(seconds):
                message = await anext(incoming)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise idle(seconds) from None
        yield message


def idle(seconds: float) -> ServiceError:
    """The client sends nothing."""
    return ServiceError(Reason.STREAM_IDLE, f"the client sent nothing for {seconds:g} s; open the stream again")


def _kind(method: str, *, is_stream: bool) -> Kind:
    if is_stream:
        return "stream" if method.startswith("/weaklabel.") else "watch"
    if method == _WAIT:
        return "stream"
    return "computation" if method in _COMPUTATIONS else "call"

"""Speed of the server as ratios of one run: beside an empty call, an echo of the same messages, and itself unloaded.

    python benchmarks/service.py
    python benchmarks/service.py --seconds 10 --items 1000000 --votes 10000000      # beside two uploads of 10M votes

Clients, echo and server are processes of one machine. The client sends and reads bytes that were made before, to the
server and to the echo alike, so that the difference between the two is the server's. The empty call is a health check:
it goes through gRPC and the server's own interceptor, and reads a word out of memory.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
from grpc_health.v1 import health_pb2
from kill_rounds import Replica
from numpy.typing import NDArray

from weaklabel_client import Client
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import labels_pb2, votes_pb2

CHUNK_ROWS = 65_536
SOURCES = 10
CLASSES = ("a", "b", "c", "d")
LABEL_SERVICE = "/weaklabel.v1.LabelService"
EMPTY = "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest().SerializeToString()
ECHO = "/benchmark.Echo/Answer"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Line(NamedTuple):
    """One line of the table."""

    what: str
    found: str
    beside: str
    ratio: float
    asked: tuple[str, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether the ratio is as asked."""
        if self.asked is None:
            return True
        sign, limit = self.asked
        return self.ratio >= limit if sign == ">=" else self.ratio <= limit

    def __str__(self) -> str:
        asked = "" if self.asked is None else f"{self.asked[0]} {self.asked[1]:g} {'' if self.holds else 'MISSED'}"
        return f"{self.what:44}{self.found:>22}{self.beside:>22}{self.ratio:8.2f}  {asked}".rstrip()


# ----------------------------------------------------------------- an echo


async def _answer(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
    """Answers each message with one of as many bytes as it came with, or as the metadata say; or the last with many."""
    wanted = dict(context.invocation_metadata() or ())
    sizes = [int(one) for one in str(wanted.get("sizes", "")).split(",") if one]
    each = iter(sizes)
    async for request in requests:
        if "at-end" not in wanted:
            await context.write(bytes(next(each)) if sizes else request)
    if "at-end" in wanted:
        for size in sizes:
            await context.write(bytes(size))


def _serve_echo(port: Any) -> None:
    async def serve() -> None:
        server = grpc.aio.server(options=OPTIONS)
        handler: Any = grpc.stream_stream_rpc_method_handler(_answer)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark.Echo", {"Answer": handler}),))
        port.value = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(serve())


@contextmanager
def echo() -> Iterator[str]:
    """The address of an echo in a process of its own."""
    port = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=_serve_echo, args=(port,), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    try:
        yield f"127.0.0.1:{port.value}"
    finally:
        process.kill()
        process.join()


# ------------------------------------------------------------- small calls


async def _milliseconds(
    address: str, calls: Sequence[tuple[str, bytes]], callers: int, seconds: float
) -> list[NDArray[np.float64]]:
    """Times of unary calls, of so many callers for so many seconds: one array for each method.

    The methods take turns, so that all of them meet the same moments of a busy machine.
    """
    times: list[list[float]] = [[] for _ in calls]
    async with grpc.aio.insecure_channel(address) as channel:
        methods: list[tuple[Any, bytes]] = [(channel.unary_unary(method), request) for method, request in calls]

        async def call(until: float, note: bool) -> None:
            while time.perf_counter() < until:
                for (method, request), taken in zip(methods, times, strict=True):
                    start = time.perf_counter()
                    await method(request, timeout=60)
                    if note:
                        taken.append(1000 * (time.perf_counter() - start))

        for length, note in ((min(1.0, seconds), False), (seconds, True)):
            until = time.perf_counter() + length
            await asyncio.gather(*(call(until, note) for _ in range(callers)))
    return [np.array(one) for one in times]


def small_calls(address: str, predict: bytes, seconds: float) -> Iterator[Line]:
    """One-row predicts beside empty calls, of 1, 8 and 64 callers."""
    calls = (f"{LABEL_SERVICE}/Predict", predict), EMPTY
    for callers in (1, 8, 64):
        predicts, empties = asyncio.run(_milliseconds(address, calls, callers, seconds))
        for percent in (50, 99):
            found, beside = np.percentile(predicts, percent), np.percentile(empties, percent)
            asked = ("<=", 2.0) if (callers, percent) == (1, 50) else None
            what = f"predict of one row, {callers} callers, p{percent}"
            yield Line(what, f"{found:.2f} ms", f"{beside:.2f} ms", found / beside, asked)


# ----------------------------------------------------------------- streams


async def _stream(
    channel: grpc.aio.Channel, method: str, requests: Sequence[bytes], metadata: Sequence[tuple[str, str]] = ()
) -> tuple[float, list[int]]:
    """Seconds of a stream, and the sizes of its answers."""
    start = time.perf_counter()
    stream: Any = channel.stream_stream(method)
    call = stream(iter(requests), metadata=tuple(metadata), timeout=600)
    sizes = [len(answer) async for answer in call]
    return time.perf_counter() - start, sizes


async def _beside_echo(
    address: str, echo_address: str, method: str, make: Callable[[], list[bytes]], at_end: bool, rounds: int
) -> tuple[float, float]:
    """MB a second of a stream, and of an echo that gets the same messages and answers with as many bytes."""
    found, beside = [], []
    async with (
        grpc.aio.insecure_channel(address, options=OPTIONS) as server,
        grpc.aio.insecure_channel(echo_address, options=OPTIONS) as other,
    ):
        for _ in range(rounds):
            requests = make()
            seconds, sizes = await _stream(server, method, requests)
            metadata = [("sizes", ",".join(map(str, sizes)))] + ([("at-end", "1")] if at_end else [])
            echoed, _ = await _stream(other, ECHO, requests, metadata)
            megabytes = (sum(map(len, requests)) + sum(sizes)) / 1e6
            found.append(megabytes / seconds)
            beside.append(megabytes / echoed)
    return float(np.median(found)), float(np.median(beside))


def streams(address: str, echo_address: str, votes: NDArray[np.int8], model: str, rounds: int) -> Iterator[Line]:
    """Uploads, streams of predictions and soft labels in bytes a second, beside an echo."""
    starts = range(0, len(votes), CHUNK_ROWS)
    parts = [votes[start : start + CHUNK_ROWS] for start in starts]

    def upload() -> list[bytes]:
        with Client(address) as client:
            project = client.create_project(f"u{uuid.uuid4().hex[:12]}", CLASSES).name
        names = [f"source {number}" for number in range(votes.shape[1])]
        opening = votes_pb2.UploadVotesOpen(parent=project, upload_id=str(uuid.uuid4()), sources=names)
        chunks = [
            votes_pb2.UploadVotesChunk(
                row_offset=start, rows=len(part), dense=votes_pb2.DenseVotes(votes=to_tensor(part))
            )
            for start, part in zip(starts, parts, strict=True)
        ]
        finish = votes_pb2.UploadVotesFinish(total_rows=len(votes))
        requests = [votes_pb2.UploadVotesRequest(open=opening)]
        requests += [votes_pb2.UploadVotesRequest(chunk=chunk) for chunk in chunks]
        requests.append(votes_pb2.UploadVotesRequest(finish=finish))
        return [one.SerializeToString() for one in requests]

    def predict() -> list[bytes]:
        made = [labels_pb2.PredictStreamRequest(model=model, votes=to_tensor(part)) for part in parts]
        return [one.SerializeToString() for one in made]

    def read() -> list[bytes]:
        return [labels_pb2.ReadSoftLabelsRequest(model=model).SerializeToString()]

    for what, method, make, asked in (
        ("upload of votes", "/weaklabel.v1.VoteService/UploadVotes", upload, (">=", 0.4)),
        ("stream of predictions", f"{LABEL_SERVICE}/PredictStream", predict, (">=", 0.5)),
        ("soft labels read", f"{LABEL_SERVICE}/ReadSoftLabels", read, None),
    ):
        found, beside = asyncio.run(_beside_echo(address, echo_address, method, make, make is read, rounds))
        yield Line(what, f"{found:.0f} MB/s", f"{beside:.0f} MB/s", found / beside, asked)


# -------------------------------------------------------------- under load


def _upload_and_fit(address: str, n_votes: int, stop: Event, done: Any) -> None:
    votes, _ = simulated(n_votes // SOURCES)
    with Client(address) as client:
        project = f"l{uuid.uuid4().hex[:12]}"
        client.create_project(project, CLASSES)
        while not stop.is_set():
            client.upload_votes(project, votes, timeout=600)
            client.fit(project).result(timeout=600)
            with done.get_lock():
                done.value += 1
            votes = np.roll(votes, 1, axis=0)  # the same votes again would add nothing


def under_load(address: str, predict: bytes, n_votes: int, seconds: float) -> Iterator[Line]:
    """64 clients of one-row predicts, alone and beside two that upload and fit."""
    calls = ((f"{LABEL_SERVICE}/Predict", predict),)
    (alone,) = asyncio.run(_milliseconds(address, calls, 64, seconds))
    stop, done = multiprocessing.Event(), multiprocessing.Value("i", 0)
    others = [
        multiprocessing.Process(target=_upload_and_fit, args=(address, n_votes, stop, done), daemon=True)
        for _ in range(2)
    ]
    for other in others:
        other.start()
    time.sleep(2.0)
    loaded = np.empty(0)
    until = time.perf_counter() + 120
    while not len(loaded) or (done.value < 2 and time.perf_counter() < until):
        (more,) = asyncio.run(_milliseconds(address, calls, 64, seconds))
        loaded = np.concatenate([loaded, more])
    stop.set()
    for other in others:
        other.join(120)
        other.kill()
    for percent in (50, 99):
        found, beside = np.percentile(loaded, percent), np.percentile(alone, percent)
        what = f"64 callers beside {done.value} uploads and fits, p{percent}"
        asked = ("<=", 5.0) if percent == 99 else None
        yield Line(what, f"{found:.1f} ms", f"{beside:.1f} ms", found / beside, asked)


# --------------------------------------------------------------------- all


def simulated(items: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Votes [items, SOURCES] of sources that are right in 60 % of their votes, and the truth [items]."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(CLASSES), items).astype(np.int8)
    votes = np.where(rng.random((items, SOURCES)) < 0.6, truth[:, None], rng.integers(0, 4, (items, SOURCES)))
    return np.where(rng.random((items, SOURCES)) < 0.3, -1, votes).astype(np.int8), truth


def main() -> None:
    """Prints the table; exit status 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement of small calls")
    parser.add_argument("--items", type=int, default=500_000, help="of streams, with 10 sources and 4 classes")
    parser.add_argument("--votes", type=int, default=2_000_000, help="of each upload beside which predicts are timed")
    parser.add_argument("--rounds", type=int, default=3, help="of each stream; the median counts")
    parser.add_argument("--only", choices=["calls", "streams", "load"], action="append", help="parts; all by default")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    parts = options.only or ["calls", "streams", "load"]
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder, echo() as echo_address:
        server = Replica(Path(folder) / "data", {"WEAKLABEL_LOG_LEVEL": "warning"})
        server.start()
        try:
            votes, _ = simulated(options.items)
            with Client(server.address) as client:
                client.create_project("speed", CLASSES)
                client.upload_votes("speed", votes, timeout=600)
                model = client.fit("speed").result(timeout=600).name
                client.predict("speed", votes[:CHUNK_ROWS], model=model)  # compiled
            predict = labels_pb2.PredictRequest(model=model, votes=to_tensor(votes[:1])).SerializeToString()
            print(f"{'':44}{'found':>22}{'beside':>22}{'ratio':>8}  asked")
            made: dict[str, Iterator[Line]] = {
                "calls": small_calls(server.address, predict, options.seconds),
                "streams": streams(server.address, echo_address, votes, model, options.rounds),
                "load": under_load(server.address, predict, options.votes, options.seconds),
            }
            for line in chain.from_iterable(made[part] for part in parts):
                lines.append(line)
                print(line, flush=True)
        finally:
            server.kill()
    sys.exit(0 if all(line.holds for line in lines) else 1)


if __name__ == "__main__":
    main()

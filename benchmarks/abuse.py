"""What callers of good will feel while others abuse the server: one-row predicts, memory, and the ends of all calls.

    python benchmarks/abuse.py
    python benchmarks/abuse.py --seconds 20 --only waits

Each abuse is a process of its own, on another connection of the same host: random bytes to every method, garbage on the
port, calls that send nothing, readers that read nothing, and 3,000 waits for operations. Meanwhile four callers predict
one row at a time. Ratios are to the same server without abuse, in the same run: p99 at most 5, memory at most 1.2; and
no call ends with INTERNAL or UNKNOWN.
"""

import argparse
import asyncio
import multiprocessing
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2
from kill_rounds import Replica
from numpy.typing import NDArray

from weaklabel_client import Client
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import (
    analysis_pb2,
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    prompts_pb2,
    releases_pb2,
    side_data_pb2,
    sources_pb2,
    votes_pb2,
)

FILES = (
    *(projects_pb2, sources_pb2, votes_pb2, side_data_pb2, models_pb2, prompts_pb2, operations_pb2, labels_pb2),
    *(analysis_pb2, releases_pb2, health_pb2),
)
METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.name.startswith("Delete")  # a name that is not broken would end what is measured
]
NEVER = {"INTERNAL", "UNKNOWN"}
P99, MEMORY = 5.0, 1.2
WAITS = 3_000
PROJECT = "abused"


class Target:
    """The server, and what is on it."""

    def __init__(self, address: str, model: str, operation: str) -> None:
        self.address = address
        self.model = model
        self.operation = operation


Ends = Counter[str]
Abuse = Callable[[Target, float, Ends], Coroutine[Any, Any, None]]


async def _end(call: Any) -> str:
    """The name of the code that a call ends with."""
    with suppress(grpc.RpcError, asyncio.CancelledError):
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    code: grpc.StatusCode = await call.code()
    if await call.details() == "Internal error from Core":  # of the client: it wrote on after the server had answered
        return "ENDED"
    return code.name


async def messages(target: Target, until: float, ends: Ends) -> None:
    """Random bytes, and broken requests, to every method."""
    pick = random.Random(0)
    valid = labels_pb2.PredictRequest(
        model=target.model, votes=to_tensor(np.zeros((3, 5), np.int8))
    ).SerializeToString()

    def broken() -> bytes:
        data = bytearray(
            valid[: pick.randint(0, len(valid))] if pick.random() < 0.5 else pick.randbytes(pick.randint(0, 99))
        )
        for _ in range(pick.randint(0, 3)):
            if data:
                data[pick.randrange(len(data))] = pick.randrange(256)
        return bytes(data)

    async with grpc.aio.insecure_channel(target.address) as channel:
        while time.time() < until:
            calls: list[Any] = []
            for method in pick.sample(METHODS, 16):
                sent = [broken() for _ in range(pick.randint(0, 3))]
                stream: Any = channel.stream_stream(method)
                calls.append(stream(iter(sent), timeout=2))
            ends.update(await asyncio.gather(*map(_end, calls)))


async def garbage(target: Target, until: float, ends: Ends) -> None:
    """Bytes that are not HTTP/2, or begin as if they were."""
    pick = random.Random(0)
    host, port = target.address.rsplit(":", 1)
    while time.time() < until:
        with socket.create_connection((host, int(port)), timeout=5) as connection, suppress(OSError):
            if pick.random() < 0.5:
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            connection.sendall(pick.randbytes(pick.randint(1, 4096)))
        ends["sent"] += 1
        await asyncio.sleep(0)


async def silence(target: Target, until: float, ends: Ends) -> None:
    """Calls that send nothing, 500 at a time."""
    while time.time() < until:
        async with grpc.aio.insecure_channel(target.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            calls: list[Any] = [channel.stream_stream(METHODS[at % len(METHODS)])(timeout=60) for at in range(500)]
            tasks = [asyncio.ensure_future(_end(call)) for call in calls]
            await asyncio.wait(tasks, timeout=max(0.1, min(until - time.time(), 5)))
            for call in calls:
                call.cancel()
            ends.update(await asyncio.gather(*tasks))


async def slow_readers(target: Target, until: float, ends: Ends) -> None:
    """Streams of votes of which the first message is read, and nothing after it."""
    request = votes_pb2.ReadVotesRequest(parent=f"projects/{PROJECT}")
    while time.time() < until:
        async with grpc.aio.insecure_channel(target.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            read: Any = channel.unary_stream(
                "/weaklabel.v1.VoteService/ReadVotes", votes_pb2.ReadVotesRequest.SerializeToString
            )
            calls: list[Any] = [read(request) for _ in range(32)]
            for call in calls:
                with suppress(grpc.RpcError):
                    await call.read()
            await asyncio.sleep(max(0.0, min(until - time.time(), 5)))
            for call in calls:
                call.cancel()
            ends.update([(await call.code()).name for call in calls])


async def waits(target: Target, until: float, ends: Ends) -> None:
    """Waits for an operation that has not ended, so many at once; those refused come again after a while."""
    request = operations_pb2.WaitOperationRequest(name=target.operation)
    async with grpc.aio.insecure_channel(target.address) as channel:
        wait: Any = channel.unary_unary(
            "/weaklabel.v1.OperationService/WaitOperation", operations_pb2.WaitOperationRequest.SerializeToString
        )

        async def again() -> None:
            while time.time() < until:
                call = wait(request, timeout=max(0.1, until - time.time()))
                ends[await _end(call)] += 1
                await asyncio.sleep(1)

        await asyncio.gather(*(again() for _ in range(WAITS)))


ABUSES: dict[str, Abuse] = {
    "messages": messages,
    "garbage": garbage,
    "silence": silence,
    "slow_readers": slow_readers,
    "waits": waits,
}


def _abuse(name: str, target: Target, until: float, told: "Queue[Ends]") -> None:
    ends: Ends = Counter()
    asyncio.run(ABUSES[name](target, until, ends))
    told.put(ends)


async def _predict(address: str, request: bytes, until: float) -> tuple[NDArray[np.float64], Ends]:
    """Milliseconds of one-row predicts of four callers, and how they ended."""
    taken: list[float] = []
    ends: Ends = Counter()
    async with grpc.aio.insecure_channel(address) as channel:
        predict: Any = channel.unary_unary("/weaklabel.v1.LabelService/Predict")

        async def caller() -> None:
            while time.time() < until:
                start = time.perf_counter()
                call: Any = predict(request, timeout=60)
                ends[await _end(call)] += 1
                taken.append(1000 * (time.perf_counter() - start))
                await asyncio.sleep(0.01)

        await asyncio.gather(*(caller() for _ in range(4)))
    return np.array(taken), ends


def _memory(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _prepared(address: str) -> tuple[Target, bytes]:
    """A project with a model, and an operation that lasts: a fit of another project, long enough for all of it."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200_000)
    votes = np.where(rng.random((len(truth), 40)) < 0.7, truth[:, None], 1 - truth[:, None]).astype(np.int8)
    with Client(address) as client:
        client.create_project(PROJECT, ["a", "b"])
        client.upload_votes(PROJECT, votes, timeout=600)
        small = client.create_project("small", ["a", "b"]).name
        client.upload_votes(small, votes[:500, :5])
        fitted = client.fit(small)
        model = fitted.result(timeout=600).name
        request = labels_pb2.PredictRequest(model=model, votes=to_tensor(votes[:1, :5])).SerializeToString()
        return Target(address, model, fitted.name), request


def _held(address: str) -> str:
    """An operation that has not ended."""
    with Client(address) as client:
        return client.fit(PROJECT, seed=int(time.time())).name


def main() -> None:
    """Prints a line for each abuse; exit status 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each abuse")
    parser.add_argument("--only", choices=ABUSES, action="append", help="these; all by default")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        server = Replica(Path(folder) / "data", {"WEAKLABEL_LOG_LEVEL": "error"})
        server.start()
        assert server.process is not None
        pid = server.process.pid
        try:
            target, request = _prepared(server.address)
            print(f"{'':14}{'p99 alone':>12}{'p99':>12}{'ratio':>8}{'memory':>8}  ends")
            for name in options.only or ABUSES:
                if name == "waits":
                    target.operation = _held(server.address)
                asyncio.run(_predict(server.address, request, time.time() + 1))
                alone, _ = asyncio.run(_predict(server.address, request, time.time() + options.seconds))
                before = _memory(pid, "VmRSS")
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
                told: Queue[Ends] = multiprocessing.Queue()
                until = time.time() + options.seconds + 3  # a process needs time to start
                other = multiprocessing.Process(target=_abuse, args=(name, target, until, told))
                other.start()
                time.sleep(2)
                loaded, good = asyncio.run(_predict(server.address, request, until - 1))
                ends = told.get(timeout=120)
                other.join()
                memory = _memory(pid, "VmHWM") / before
                p99s = [float(np.percentile(one, 99)) for one in (alone, loaded)]
                ratio = p99s[1] / p99s[0]
                bad = ratio > P99 or memory > MEMORY or not NEVER.isdisjoint(ends) or set(good) != {"OK"}
                missed |= bad
                print(
                    f"{name:14}{p99s[0]:9.1f} ms{p99s[1]:9.1f} ms{ratio:8.2f}{memory:8.2f}  {dict(ends)}; predicts "
                    f"{dict(good)}{'  MISSED' if bad else ''}",
                    flush=True,
                )
        finally:
            server.kill()
    sys.exit(missed)


if __name__ == "__main__":
    main()

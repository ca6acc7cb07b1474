"""Who gets in: calls that send or read nothing keep nobody out, and who is refused learns why, and when to return."""

import asyncio
import collections
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from weaklabel_protocol.v1 import labels_pb2, projects_pb2, projects_pb2_grpc, votes_pb2, votes_pb2_grpc
from weaklabel_server.interceptors.limits import host_of

PLACES = 8
SILENT_SECONDS = 1.5
IDLE_SECONDS = 3.0


@pytest.fixture(scope="module")
def guarded(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with few places."""
    environment = {
        "WEAKLABEL_MAX_CONCURRENT_RPCS": str(PLACES),
        "WEAKLABEL_MAX_STREAMS": str(PLACES),
        "WEAKLABEL_MAX_WATCHES": str(PLACES),
        "WEAKLABEL_PEER_SHARE": "1",
        "WEAKLABEL_SILENT_SECONDS": str(SILENT_SECONDS),
        "WEAKLABEL_STREAM_IDLE_SECONDS": str(IDLE_SECONDS),
    }
    with serving(tmp_path_factory.mktemp("guarded"), environment) as server:
        yield server


def _reason(error: grpc.RpcError) -> str:
    call: Any = error
    status = rpc_status.from_call(call)
    info = error_details_pb2.ErrorInfo()
    assert status is not None, call
    assert status.details[0].Unpack(info)
    return str(info.reason)


async def _end_of(call: Any) -> str:
    """OK, or the reason for which a call of grpc.aio failed."""
    code = await call.code()
    if code is grpc.StatusCode.OK:
        return "OK"
    trailer = dict(await call.trailing_metadata())
    assert "grpc-status-details-bin" in trailer, (code, await call.details())
    error = grpc.aio.AioRpcError(
        code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
    )
    return _reason(error)


def test_silent_calls_keep_nobody_out(guarded: Any) -> None:
    async def flood() -> tuple[list[float], collections.Counter[str], float]:
        address = guarded.process.address
        async with (
            grpc.aio.insecure_channel(address) as flooding,
            grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as other,
        ):
            begin = time.perf_counter()
            unary: list[Any] = [
                flooding.stream_unary(f"/weaklabel.v1.{method}")()
                for method in ("ProjectService/ListProjects", "LabelService/Predict") * 150
            ]
            streams: list[Any] = [flooding.stream_stream("/weaklabel.v1.VoteService/UploadVotes")() for _ in range(50)]
            watching: Any = health_pb2_grpc.HealthStub(flooding)
            watches = [watching.Watch(health_pb2.HealthCheckRequest()) for _ in range(140)]
            health: Any = health_pb2_grpc.HealthStub(other)
            projects: Any = projects_pb2_grpc.ProjectServiceStub(other)
            seconds: list[float] = []
            while (now := time.perf_counter()) < begin + SILENT_SECONDS + 1 or len(seconds) < 3:
                await health.Check(health_pb2.HealthCheckRequest(), timeout=30)
                await projects.ListProjects(projects_pb2.ListProjectsRequest(), timeout=30)
                seconds.append(time.perf_counter() - now)
                await asyncio.sleep(0.02)
            ends = collections.Counter(await asyncio.gather(*map(_end_of, unary)))
            took = time.perf_counter() - begin
            for call in (*streams, *watches):
                call.cancel()
            return seconds, ends, took

    seconds, ends, took = asyncio.run(flood())
    assert min(seconds) < SILENT_SECONDS  # they need not wait until the silent ones are sent away
    assert set(ends) == {"STREAM_IDLE", "TOO_MANY_CALLS"}
    assert ends.total() == 300
    assert took < SILENT_SECONDS + 60  # most of it is what a busy machine takes for 490 calls


def test_too_many_calls_are_told_so_and_none_is_cancelled(guarded: Any, harness: Any, simulated: Any) -> None:
    parent = guarded.create_project()
    codes, _ = simulated()
    guarded.upload(parent, codes)
    model = guarded.fit(parent).model
    request = labels_pb2.PredictRequest(model=model, votes=harness.tensor(np.tile(codes, (150, 1))))
    path = "/weaklabel.v1.LabelService/Predict"

    async def flood() -> tuple[collections.Counter[str], set[float]]:
        async with grpc.aio.insecure_channel(guarded.process.address) as channel:
            predict = channel.unary_unary(
                path, labels_pb2.PredictRequest.SerializeToString, labels_pb2.PredictResponse.FromString
            )
            calls = [predict(request, timeout=60) for _ in range(20 * PLACES)]
            ends = collections.Counter(await asyncio.gather(*map(_end_of, calls)))
            delays = set()
            for call in calls:
                if await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    retry = error_details_pb2.RetryInfo()
                    trailer = dict(await call.trailing_metadata())["grpc-status-details-bin"]
                    assert status_pb2.Status.FromString(trailer).details[-1].Unpack(retry)
                    delays.add(retry.retry_delay.ToTimedelta().total_seconds())
            return ends, delays

    ends, delays = asyncio.run(flood())
    assert set(ends) == {"OK", "TOO_MANY_CALLS"}
    assert ends["OK"] >= PLACES
    assert delays == {0.2}


def test_who_reads_nothing_is_ended(guarded: Any) -> None:
    parent = guarded.create_project()
    guarded.upload(parent, np.zeros((300_000, 64), np.int8), chunk_rows=50_000)
    request = votes_pb2.ReadVotesRequest(parent=parent)

    async def stall() -> None:
        async with grpc.aio.insecure_channel(guarded.process.address) as channel:
            stub: Any = votes_pb2_grpc.VoteServiceStub(channel)
            calls = [stub.ReadVotes(request) for _ in range(PLACES)]
            await asyncio.gather(*(call.read() for call in calls))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ReadVotes(request).read()
            assert _reason(caught.value) == "TOO_MANY_STREAMS"
            # Though nobody reads on, the places are free soon.
            deadline = time.monotonic() + IDLE_SECONDS + 30
            while (refused := await _end_of_first(stub.ReadVotes(request))) and time.monotonic() < deadline:
                assert refused == "TOO_MANY_STREAMS"
                await asyncio.sleep(0.5)
            assert refused is None
            for call in calls:
                call.cancel()

    asyncio.run(stall())
    assert "Traceback" not in guarded.process.log()


async def _end_of_first(call: Any) -> str | None:
    """Reads a chunk; the reason for which there was none."""
    try:
        assert (await call.read()).votes.rows > 0
    except grpc.aio.AioRpcError as error:
        return _reason(error)
    return None


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:127.0.0.1:4242", "127.0.0.1"),
        ("ipv6:%5B2001:db8:0:1::9%5D:4242", "2001:db8:0:1::/64"),
        ("ipv6:[2001:db8:0:1:ffff::]:1", "2001:db8:0:1::/64"),
        ("ipv6:[::ffff:10.0.0.1]:1", "::ffff:a00:1"),
        ("unix:", "unix"),
    ],
)
def test_hosts(peer: str, host: str) -> None:
    assert host_of(peer) == host


def test_request_ids_come_back_and_cannot_forge_the_log(guarded: Any, harness: Any) -> None:
    def ids(given: str) -> str:
        request = projects_pb2.GetProjectRequest(name="projects/nowhere\nFORGED line code=OK")
        with pytest.raises(grpc.RpcError) as caught:
            guarded.projects.GetProject(request, metadata=(("x-request-id", given),))
        call: Any = caught.value
        return str(dict(call.trailing_metadata())["x-request-id"])

    assert ids("trace:1.2-3") == "trace:1.2-3"
    assert ids("a code=OK") != "a code=OK"
    assert len(ids("x" * 129)) < 129
    harness.until(lambda: "trace:1.2-3" in guarded.process.log())
    lines = guarded.process.log().splitlines()
    assert not any(line.startswith("FORGED") for line in lines)
    (line,) = [line for line in lines if "request_id=trace:1.2-3" in line]
    assert r'resource="projects/nowhere\\nFORGED line code=OK"' in line
    assert " bytes_in=" in line
    assert "code=NOT_FOUND" in line

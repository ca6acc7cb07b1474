import asyncio
import json
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

import weaklabel_client
import weaklabel_client.aio
from weaklabel_client._connection import channel


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:50051", "localhost:1", "[::1]:50051", "dns:///localhost:1", "ipv4:127.0.0.1:1", "unix:/run/w.sock"],
)
def test_a_token_may_go_in_clear_text_to_this_machine(target: str) -> None:
    assert channel.metadata(target, None, "s3cret") == (("authorization", "Bearer s3cret"),)


@pytest.mark.parametrize(
    "target", ["10.0.0.7:50051", "example.com:1", "dns:///labels:1", "ipv4:127.0.0.1:1,10.0.0.7:1", "127.0.0.1.evil:1"]
)
def test_a_token_goes_nowhere_else_without_tls(target: str) -> None:
    with pytest.raises(ValueError, match="clear text") as caught:
        weaklabel_client.Client(target, token="s3cret")
    assert "s3cret" not in str(caught.value)
    assert channel.metadata(target, grpc.ssl_channel_credentials(), "s3cret")


def test_the_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAKLABEL_TOKEN", "s3cret")
    assert channel.security("127.0.0.1:1").metadata == (("authorization", "Bearer s3cret"),)
    assert channel.security("127.0.0.1:1", token="other").metadata == (("authorization", "Bearer other"),)
    with pytest.raises(ValueError, match="clear text"):
        channel.security("10.0.0.7:1")
    assert channel.security("10.0.0.7:1", insecure=True).metadata
    assert channel.security("10.0.0.7:1", tls=True).metadata
    assert "s3cret" not in repr(channel.security("127.0.0.1:1"))


def test_security_that_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        channel.security("127.0.0.1:1", tls=True, credentials=grpc.ssl_channel_credentials())
    with pytest.raises(ValueError, match="needs tls"):
        channel.security("127.0.0.1:1", client_certificate=("a", "b"))
    with pytest.raises(FileNotFoundError):
        channel.security("127.0.0.1:1", tls=tmp_path / "ca.pem")
    for token in ("s3 cret", "s3cret\n", "s3crét"):
        with pytest.raises(ValueError, match="no spaces") as caught:
            channel.security("127.0.0.1:1", token=token)
        assert token not in str(caught.value)


async def test_neither_client_shows_the_token() -> None:
    with weaklabel_client.Client("127.0.0.1:1", token="s3cret") as waiting:
        assert repr(waiting) == "<Client of 127.0.0.1:1>"
    async with weaklabel_client.aio.Client("127.0.0.1:1", token="s3cret") as asynchronous:
        assert repr(asynchronous) == "<Client of 127.0.0.1:1>"


def test_messages_are_finite_and_streams_are_not_retried_by_grpc() -> None:
    options = dict(channel.options())
    assert 0 < options["grpc.max_receive_message_length"] <= 2**26
    assert 0 < options["grpc.max_send_message_length"] <= 2**26
    (config,) = json.loads(options["grpc.service_config"])["methodConfig"]
    methods = {name["method"] for name in config["name"]}
    assert "Predict" in methods
    assert not methods & {"UploadVotes", "PredictStream", "ReadVotes", "ReadSoftLabels", "WatchOperation"}
    assert not methods & {"ReadSourceSummary", "DownloadModel", "UploadModel"}
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert json.loads(options["grpc.service_config"])["retryThrottling"]["maxTokens"] > 0


async def test_asyncio_client_outside_an_event_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="belongs to a running event loop"):
        await asyncio.to_thread(weaklabel_client.aio.Client, "127.0.0.1:1")


async def test_the_token_travels_as_bearer_metadata(connect: Callable[..., Any]) -> None:
    """Against a bare gRPC server that keeps what it is sent."""
    seen: list[tuple[str, str]] = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, call: Any) -> None:
            seen.append((call.method.rpartition("/")[2], dict(call.invocation_metadata)["authorization"]))

    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        client = connect(f"127.0.0.1:{port}", token="s3cret")
        with pytest.raises(weaklabel_client.Unimplemented):
            await client.get_project("spam")
        with pytest.raises(weaklabel_client.Unimplemented):
            await client.read_votes("spam")
    finally:
        server.stop(None).wait()
    # A refusal that overtakes what asyncio still sends reads as a lost connection, and the stream is tried again.
    assert set(seen) == {("GetProject", "Bearer s3cret"), ("ReadVotes", "Bearer s3cret")}

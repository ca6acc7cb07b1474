"""Connections: TLS, proxies, endings, and what arrives when nobody asked."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import PromptEngine, PromptFunction, run
from weaklabel.prompts.http import connections
from weaklabel.prompts.http.connections import Connections
from weaklabel.prompts.http.network import Network

Make = Callable[..., PromptEngine]
CERTIFICATE = Path(__file__).parents[1] / "localhost.pem"


def items(n: int) -> list[dict[str, str]]:
    return [{"text": f"item {i}"} for i in range(n)]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The certificate of the tests is the only one that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    connections._tls.cache_clear()
    yield
    connections._tls.cache_clear()


def test_over_tls(endpoint_with_tls: Any, make_engine: Make, prompt: PromptFunction, trusted: None) -> None:
    endpoint_with_tls.reply = lambda request: endpoint_with_tls.completion("yes", note="x" * 500_000)
    large = [{"text": f"item {i} " + "y" * 300_000} for i in range(6)]
    done = run([prompt], large, make_engine(base_url=endpoint_with_tls.url, concurrency=2), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 6
    assert endpoint_with_tls.connections == 2
    assert all("y" * 300_000 in request.text for request in endpoint_with_tls.chats)


def test_a_certificate_that_is_not_trusted_sends_nothing(
    endpoint_with_tls: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    engine = make_engine(base_url=endpoint_with_tls.url, max_retries=0)
    with pytest.warns(LabelingFunctionWarning, match="cannot be reached"):
        run([prompt], items(1), engine, progress=False)
    assert not endpoint_with_tls.requests


def test_a_large_request_and_a_large_reply(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", note="x" * 900_000)
    done = run([prompt], [{"text": "y" * 3_000_000}], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    assert "y" * 3_000_000 in endpoint.chats[0].text


def test_a_reply_in_chunks(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    body = endpoint.completion("yes").raw.partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:30], body[30:])) + b"0\r\n\r\n"
    raw = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    endpoint.reply = lambda request: endpoint.written(raw)
    done = run([prompt], items(3), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 3
    assert endpoint.connections == 1


async def test_an_idle_connection_that_was_closed_is_not_used_again(endpoint: Any) -> None:
    endpoint.reply = lambda request: endpoint.written(endpoint.completion("yes").raw, ending="close")
    async with httpx2.AsyncClient(transport=Connections(endpoint.url, 1000)) as client:
        for _ in range(3):
            reply = await client.post(endpoint.url + "/chat/completions", content=b"{}")
            assert reply.json()["choices"][0]["message"]["content"] == "yes"
            await asyncio.sleep(0.1)
    assert endpoint.connections == 3


def test_a_reply_of_no_given_length_that_is_reset_is_not_whole(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None
) -> None:
    body = endpoint.completion("no").raw.partition(b"\r\n\r\n")[2]
    replies = iter([endpoint.written(b"HTTP/1.0 200 OK\r\n\r\n" + body, ending="reset", pause=0.1)])
    endpoint.reply = lambda request: next(replies, None) or endpoint.completion("yes")
    done = run([prompt], items(1), make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]


def test_what_arrives_unasked_is_no_reply(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    """The endpoint answers a call twice, the second time while the connection is idle."""
    busy = endpoint.status(429, headers={"Retry-After": "0.4"}).raw
    doubled = endpoint.written(busy + endpoint.completion("no").raw, cut=len(busy), pause=0.1)
    replies = iter([doubled])
    endpoint.reply = lambda request: next(replies, None) or endpoint.completion("yes")
    done = run([prompt], items(1), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    assert endpoint.connections == 2


# ----------------------------------------------------------------------- proxies


def test_the_proxy_of_the_environment_is_used(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", endpoint.url.replace("http://", "http://user:word@").removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    engine = make_engine(base_url="http://llm.example/v1", concurrency=1)
    assert run([prompt], items(2), engine, progress=False).votes.n_votes == 2
    assert endpoint.connections == 1
    for request in endpoint.chats:
        assert request.path == "http://llm.example/v1/chat/completions"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"  # user:word


def test_an_exception_of_the_proxy_is_asked_directly(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert run([prompt], items(1), make_engine(), progress=False).votes.n_votes == 1


# ---------------------------------------------------------------- limits of time


async def test_a_connection_that_says_nothing_is_given_up(endpoint: Any) -> None:
    endpoint.reply = lambda request: endpoint.hang()
    async with httpx2.AsyncClient(transport=Connections(endpoint.url, 1000), timeout=0.2) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(endpoint.url + "/chat/completions", content=b"{}")


async def test_errors_are_those_that_the_openai_package_knows(endpoint: Any) -> None:
    endpoint.reply = lambda request: endpoint.half()
    async with httpx2.AsyncClient(transport=Connections(endpoint.url, 1000)) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post(endpoint.url + "/chat/completions", content=b"{}")
        with pytest.raises(httpx2.ConnectError):
            await client.post("http://127.0.0.1:9/", content=b"{}")


async def test_no_more_is_taken_from_the_network_than_is_read() -> None:
    sent = 8 << 20

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(sent))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    stream = await Network().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
    await asyncio.sleep(0.3)
    arrived = len(await stream.read(sent))
    assert 0 < arrived < 1 << 20
    while arrived < sent:
        arrived += len(await stream.read(sent))
    assert await stream.read(1) == b""
    await stream.aclose()
    server.close()
    await server.wait_closed()

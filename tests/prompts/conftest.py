"""An endpoint that speaks the OpenAI protocol on loopback, and misbehaves on request."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction

KEY = "sk-secret-0123456789"
CERTIFICATE = Path(__file__).with_name("localhost.pem")  # and its key, both made for these tests; until 2120
JSON = {"content-type": "application/json"}
KEYWORDS = {"subscribe": "yes", "nice": "no", "music": "clearly not spam"}


class Request:
    """A request as it came."""

    def __init__(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        self.method, self.path, self.headers, self.raw = method, path, headers, raw

    @property
    def body(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.raw)
        return value

    @property
    def text(self) -> str:
        """The last message, which holds the item."""
        return str((self.body.get("messages") or self.body["input"])[-1]["content"])


class Response:
    """What is written back: whole, in pieces with pauses, or not at all."""

    def __init__(
        self,
        raw: bytes = b"",
        *,
        delay: float = 0.0,
        cut: int | None = None,
        pause: float = 0.0,
        ending: str = "keep",
    ) -> None:
        self.raw, self.delay, self.cut, self.pause, self.ending = raw, delay, cut, pause, ending


def http(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in (JSON | (headers or {})).items())
    return f"HTTP/1.1 {status} X\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Misbehaving:
    """Makes responses. A reply function of a test returns what one of these makes."""

    @staticmethod
    def completion(
        content: str | None,
        *,
        finish_reason: str = "stop",
        refusal: str | None = None,
        logprobs: list[dict[str, Any]] | None = None,
        usage: tuple[int, int] | None = (50, 5),
        delay: float = 0.0,
        **more: Any,
    ) -> Response:
        return Response(
            http(200, json.dumps(completion(content, finish_reason, refusal, logprobs, usage) | more).encode()),
            delay=delay,
        )

    @staticmethod
    def response(*output: dict[str, Any], **more: Any) -> Response:
        """A response of the Responses API."""
        return Response(http(200, json.dumps(response(*output) | more).encode()))

    @staticmethod
    def status(
        number: int, message: str = "no", headers: dict[str, str] | None = None, *, delay: float = 0.0, **error: Any
    ) -> Response:
        body = json.dumps({"error": {"message": message} | error}).encode()
        return Response(http(number, body, headers), delay=delay)

    @staticmethod
    def reset() -> Response:
        return Response(ending="reset")

    @staticmethod
    def hang() -> Response:
        return Response(ending="hang")

    @staticmethod
    def half() -> Response:
        whole = http(200, json.dumps(completion("yes")).encode())
        return Response(whole[: len(whole) - 40], ending="close")

    @staticmethod
    def raw(body: bytes, headers: dict[str, str] | None = None) -> Response:
        return Response(http(200, body, headers))

    @staticmethod
    def written(raw: bytes, **options: Any) -> Response:
        return Response(raw, **options)

    @staticmethod
    def drip(seconds: float) -> Response:
        return Response(http(200, json.dumps(completion("yes")).encode()), cut=20, pause=seconds)


def completion(
    content: str | None,
    finish_reason: str = "stop",
    refusal: str | None = None,
    logprobs: list[dict[str, Any]] | None = None,
    usage: tuple[int, int] | None = (50, 5),
) -> dict[str, Any]:
    """The body of a chat completion."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "logprobs": None if logprobs is None else {"content": logprobs},
            }
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return body


def response(*output: dict[str, Any]) -> dict[str, Any]:
    """The body of a response of the Responses API, as the endpoint's reference shows it."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "test",
        "output": list(output),
        "usage": {
            "input_tokens": 50,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 55,
        },
    }


def message(*content: dict[str, Any]) -> dict[str, Any]:
    """The message of a response of the Responses API."""
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": list(content)}


def said(text: str, logprobs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A message of one text."""
    return message({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []})


class EndpointServer(Misbehaving):
    """Serves on a port of its own, in a thread of its own; `reply` decides what each chat completion gets.

    Attributes:
        reply: called with each request for a completion, in the server's thread.
        requests: all that came, in order.
        open_now, most_open: completions being answered, now and at most.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.reply: Callable[[Request], Response] = lambda request: self.completion("yes")
        self.requests: list[Request] = []
        self.connections = 0
        self.open_now = self.most_open = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.on_batch: Callable[[dict[str, Any]], None] | None = None
        self.on_upload: Callable[[], None] | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Request]:
        return [request for request in self.requests if request.path.partition("?")[0].endswith("/chat/completions")]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _finish(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await self._read_body(reader, headers)
        request = Request(method, path, headers, raw)
        self.requests.append(request)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            response = self._respond(request)
            await asyncio.sleep(response.delay)
            return await self._write(writer, response)
        finally:
            self.open_now -= 1

    @staticmethod
    async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        raw = b""
        while size := int(await reader.readline(), 16):
            raw += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return raw

    async def _write(self, writer: asyncio.StreamWriter, response: Response) -> bool:
        if response.ending == "reset":
            writer.write(response.raw)
            await asyncio.sleep(response.pause)
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if response.ending == "hang":
            await asyncio.sleep(3600)
        if response.cut is None:
            writer.write(response.raw)
        else:
            for start in range(0, len(response.raw), response.cut):
                writer.write(response.raw[start : start + response.cut])
                await asyncio.sleep(response.pause)
        await writer.drain()
        return response.ending == "keep"

    def _respond(self, request: Request) -> Response:
        if request.path.split("?")[0].endswith(("/chat/completions", "/responses")):
            return self.reply(request)
        return self._batches(request)

    def by_keyword(self, request: Request) -> Response:
        """A model that follows a rule: the word in the item decides."""
        return self.completion(
            json.dumps({"answer": next(KEYWORDS[word] for word in KEYWORDS if word in request.text)})
        )

    # -------------------------------------------------------------- Batch API

    def _batches(self, request: Request) -> Response:
        parts = request.path.split("?")[0].removeprefix("/v1/").split("/")
        if request.method == "POST" and parts == ["files"]:
            name = f"file-{sum(one.startswith('file') for one in self.files)}"
            self.files[name] = _upload(request.raw)
            if self.on_upload is not None:
                self.on_upload()
            return self._json(
                {"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "batch"}
            )
        if request.method == "POST" and parts == ["batches"]:
            name = f"batch-{len(self.batches)}"
            self.batches[name] = {
                **request.body,
                "id": name,
                "object": "batch",
                "status": "validating",
                "created_at": 1,
            }
            if self.on_batch is not None:
                self.on_batch(self.batches[name])
            return self._json(self.batches[name])
        if parts == ["batches"]:
            return self._json({"object": "list", "data": list(self.batches.values()), "has_more": False})
        if request.method == "POST" and parts[-1] == "cancel":
            self.batches[parts[1]]["status"] = "cancelling"
            return self._json(self.batches[parts[1]])
        if parts[0] == "batches":
            return self._json(self.batches[parts[1]])
        if parts[0] == "files" and parts[-1] == "content":
            return Response(http(200, self.files[parts[1]]))
        return self.status(404, f"no {request.path}")

    def _json(self, value: Any) -> Response:
        return Response(http(200, json.dumps(value).encode()))

    def finish_batch(self, batch: dict[str, Any]) -> None:
        """Answer a batch by `reply`: responses of status 200 into its output, the rest into its errors."""
        output: list[bytes] = []
        errors: list[bytes] = []
        for line in self.files[batch["input_file_id"]].splitlines():
            asked = json.loads(line)
            response = self.reply(Request("POST", asked["url"], {}, json.dumps(asked["body"]).encode()))
            head, _, raw = response.raw.partition(b"\r\n\r\n")
            status = int(head.split(b" ")[1])
            done = {
                "custom_id": asked["custom_id"],
                "response": {"status_code": status, "body": json.loads(raw)},
                "error": None,
            }
            (output if status == 200 else errors).append(json.dumps(done).encode())
        for kind, lines in (("output_file_id", output), ("error_file_id", errors)):
            if lines:
                batch[kind] = f"{batch['id']}-{kind}"
                self.files[batch[kind]] = b"\n".join(lines)
        batch["status"] = "completed"


def _upload(raw: bytes) -> bytes:
    """The file of a multipart form."""
    boundary = raw.split(b"\r\n", 1)[0]
    for part in raw.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    raise AssertionError("no file in the upload")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return KEY


@pytest.fixture
def endpoint() -> Iterator[EndpointServer]:
    server = EndpointServer()
    yield server
    server.stop()


@pytest.fixture
def endpoint_with_tls() -> Iterator[EndpointServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = EndpointServer(context)
    yield server
    server.stop()


@pytest.fixture
def make_engine(endpoint: EndpointServer, tmp_path: Path) -> Callable[..., PromptEngine]:
    """Makes engines of the endpoint with a cache of the test; settings of the endpoint and of the engine go by name."""
    own = set(PromptEngine.__dataclass_fields__)

    def make(**settings: Any) -> PromptEngine:
        for_endpoint: dict[str, Any] = {"base_url": endpoint.url, "timeout": 5.0}
        for_engine: dict[str, Any] = {"cache": tmp_path / "p.sqlite"}
        for name, value in settings.items():
            (for_engine if name in own else for_endpoint)[name] = value
        return PromptEngine(**{"endpoints": Endpoint(**for_endpoint), **for_engine})

    return make


@pytest.fixture
def prompt() -> PromptFunction:
    return PromptFunction(
        name="asks_for_action",
        model="gpt-5-mini",
        template="Does this comment ask its reader to act?\n\n{text}",
        answers={"yes": 1, "no": -1, "unsure": -1, "clearly not spam": 0},
    )


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts are a tenth, where the endpoint does not say how long."""
    monkeypatch.setattr("weaklabel.prompts.http.transport._FIRST_BACKOFF", 0.02)

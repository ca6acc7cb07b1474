"""An endpoint for benchmarks: chat completions after a fixed time, by the rules of `prompt_rules`.

.venv/bin/python benchmarks/prompt_endpoint.py --latency 0.2     prints its port, and serves until it is ended
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import prompt_rules


class Connection(asyncio.Protocol):
    """One connection: requests with a length, one after another."""

    latency = 0.2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        at = head.index(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n")[0])
        if len(self._received) < end + 4 + length:
            return
        body = json.loads(self._received[end + 4 : end + 4 + length])
        self._received = self._received[end + 4 + length :]
        asyncio.get_running_loop().call_later(self.latency, self._transport.write, _reply(body))


def _reply(asked: dict[str, object]) -> bytes:
    model, messages = str(asked["model"]), asked["messages"]
    assert isinstance(messages, list)
    text = str(messages[-1]["content"])
    answer = prompt_rules.simulated_answer(model, text) if "/" in model else "yes"
    message = {"role": "assistant", "content": json.dumps({"answer": answer})}
    body = {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}],
        "usage": {"prompt_tokens": len(text) // 4, "completion_tokens": 5, "total_tokens": len(text) // 4 + 5},
    }
    raw = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(raw) + raw


async def serve(latency: float) -> None:
    """Serve on a free port of the loopback, which is printed."""
    Connection.latency = latency
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    asyncio.run(serve(parser.parse_args().latency))

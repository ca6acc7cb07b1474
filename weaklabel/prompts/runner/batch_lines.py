"""The JSON lines of a batch: requests that are sent in a file, and replies that come back in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from weaklabel.prompts.http.call import Reply
from weaklabel.prompts.pricing import Tokens
from weaklabel.prompts.responses.completion import is_completion, usage

_MOST_REQUESTS, _MOST_BYTES = 50_000, 150_000_000  # a batch of OpenAI: 50,000 requests, 200 MB


class BatchLine(NamedTuple):
    """A request of a batch."""

    key: bytes
    model: str
    text: bytes


def split(lines: Iterator[BatchLine]) -> Iterator[list[BatchLine]]:
    """Batches of one model each, within the limits of their size."""
    part: list[BatchLine] = []
    size = 0
    for line in lines:
        full = len(part) >= _MOST_REQUESTS or size + len(line.text) > _MOST_BYTES
        if part and (full or line.model != part[0].model):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line.text)
    if part:
        yield part


def read_line(text: bytes) -> tuple[bytes, Reply] | None:
    """A line of a batch's output: the key of the request, and its reply."""
    try:
        line = json.loads(text)
        key = bytes.fromhex(line["custom_id"])
        response = line.get("response") or {}
        body = response.get("body")
        if response.get("status_code") == 200 and body is not None and is_completion(body):
            return key, Reply(body=body, raw=json.dumps(body).encode(), tokens=usage(body) or Tokens(0, 0))
        error = line.get("error") or (body or {}).get("error") or {}
        return key, Reply(error=f"HTTP {response.get('status_code')}: {str(error.get('message'))[:300]}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None

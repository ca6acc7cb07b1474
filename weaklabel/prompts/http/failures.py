"""What an endpoint's failures mean: whether to try again and when, and which field of the request it does not know."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

_UNSUPPORTED = re.compile(r"unsupported|not support|unknown|unrecogni|unexpected|not permitted|not allowed|extra")
TOKEN_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the limit on the length of a reply, each with the other."""


class AttemptFailedError(Exception):
    """An attempt that failed.

    Attributes:
        reason: in words; the key is not in it.
        retry: whether another attempt may go better.
        wait: seconds that the endpoint asked to wait, or None.
        billed: whether the attempt may have cost something.
    """

    def __init__(self, reason: str, *, retry: bool, wait: float | None = None, billed: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry, self.wait, self.billed = reason, retry, wait, billed


class FieldRefusedError(Exception):
    """The endpoint does not know a field of the request that a call can do without."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def refused_field(error: openai.APIStatusError, sent: dict[str, Any]) -> str | None:
    """The field of the request that an endpoint says it does not support, where a call can do without it."""
    body = error.body if isinstance(error.body, dict) else {}
    parameter = str(body.get("param") or "").partition(".")[0]
    message = str(body.get("message") or error.body or "").lower()
    optional = ("response_format", "top_logprobs", "logprobs", "temperature", "max_completion_tokens", "max_tokens")
    for field in optional:
        if field in TOKEN_LIMITS and not _UNSUPPORTED.search(message):
            continue  # too large for this item, say: under its other name it may be no limit at all
        if field in sent and (parameter == field or (not parameter and field in message)):
            return field
    return "response_format" if "response_format" in sent and "json_schema" in message else None


def retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds of a Retry-After header, in seconds, milliseconds or as a date; None where there is none."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(date.timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None

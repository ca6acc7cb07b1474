"""What an endpoint's failures mean: whether to try again and when, and what of a request it does not know."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from weaklabel.prompts.http.faults import Fault

_UNSUPPORTED = re.compile(
    r"unsupported|not (?:yet )?support|unknown|unrecogni|unexpected|not permitted|not allowed|extra|not (?:yet )?impl"
    r"|unimplemented|not available|not enabled|disabled"
)
_NOT_PERMITTED_AT = re.compile(r"loc['\"]?:\s*[(\[]\s*['\"]body['\"],\s*['\"](\w+)")  # pydantic's words in a text
_NO_SYSTEM_ROLE = re.compile(
    r"system (?:role|messages?|prompts?)\W{1,3}(?:is |are )?(?:un|not )support"
    r"|not support (?:the )?\W?system\W? (?:role|message|prompt)|developer instruction is not enabled"
    r"|conversation roles must alternate|only user and assistant roles are supported"
)
_TOO_LONG = re.compile(
    r"context.length|context.window|too long|too large|maximum.{1,20}(?:tokens|length)|too many tokens"
)
_CERTAIN, _UNCERTAIN = {400, 422}, {200, 500, 501}
_OPTIONAL = (
    "response_format",
    "top_logprobs",
    "logprobs",
    "temperature",
    "max_completion_tokens",
    "max_tokens",
    "store",
)
TOKEN_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the limit on the length of a reply, each with the other."""
SYSTEM_ROLE = "messages.role"
"""Stands among the refused fields for the role of the system message."""


class AttemptFailedError(Exception):
    """An attempt that failed.

    Attributes:
        reason: in words; the key is not in it.
        retry: whether another attempt may go better.
        wait: seconds that the endpoint asked to wait, or None.
        billed: whether the attempt may have cost something.
        refused: whether a filter declined the item.
        of_request: whether the endpoint does not take the request as it is, whatever the item.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry: bool,
        wait: float | None = None,
        billed: bool = False,
        refused: bool = False,
        of_request: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.retry, self.wait, self.billed = reason, retry, wait, billed
        self.refused, self.of_request = refused, of_request


class FieldRefusedError(Exception):
    """The endpoint does not know a field of the request that a call can do without."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def refused_field(fault: Fault, sent: dict[str, Any]) -> str | None:
    """The field of the request that an endpoint says it does not support, where a call can do without it.

    Of 400 and 422 the name of the field is enough. Of 500, 501, and an error in a body of status 200, which may mean
    anything, it must be said to be unknown or not supported.
    """
    message = fault.message.lower()
    unsupported = bool(_UNSUPPORTED.search(message))
    if fault.status not in _CERTAIN and not (unsupported and fault.status in _UNCERTAIN):
        return None
    located = _NOT_PERMITTED_AT.search(message)  # the rest of such a text repeats the whole request
    parameter = fault.parameter or (located[1] if located else "")
    if _NO_SYSTEM_ROLE.search(message) and sent["messages"][0]["role"] == "system":
        return SYSTEM_ROLE
    for field in _OPTIONAL:
        if field in TOKEN_LIMITS and not unsupported:
            continue  # too large for this item, say: under its other name it may be no limit at all
        if field in sent and (parameter == field or (not parameter and field in message)):
            return field
    return "response_format" if "response_format" in sent and "json_schema" in message else None


def is_too_long(fault: Fault) -> bool:
    """Whether an endpoint finds an item too long, which tells nothing of the others."""
    return fault.status == 413 or bool(_TOO_LONG.search(f"{fault.code} {fault.message}".lower()))


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

"""What an endpoint says of a failure, out of the shapes that servers say it in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_FILTERS = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
_TAG = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_MOST_READ = 20_000  # bytes of a body that is not JSON


class Fault(NamedTuple):
    """What an endpoint says of a failure.

    Attributes:
        status: of HTTP; or the error's own, where it comes in a body of status 200.
        message: in the endpoint's words.
        code: its name for the failure, as "insufficient_quota".
        parameter: the field of the request that it names.
        filtered: whether a content filter declined the item.
        categories: what the filter found, as "violence".
    """

    status: int
    message: str
    code: str = ""
    parameter: str = ""
    filtered: bool = False
    categories: tuple[str, ...] = ()


def read_fault(status: int, content: bytes) -> Fault:
    """The fault in the body of an error, which may be of any shape."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # the latter where brackets are nested deep
        return Fault(status=status, message=_TAG.sub(" ", content[:_MOST_READ].decode(errors="replace")))
    return fault_of(status, body) or Fault(status=status, message=content[:_MOST_READ].decode(errors="replace"))


def fault_of(status: int, body: Any) -> Fault | None:
    """The fault that a body tells of; None where it tells of none.

    Known are {"error": {...}} of OpenAI, {"error": "text"} of Ollama, {"detail": ...} of FastAPI, {"message": ...} of
    older vLLM, [{"error": {...}}] of Gemini, and an error inside of a choice, as of OpenRouter.
    """
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, Mapping):
        return None
    error = body.get("error") or _error_of_choice(body) or body.get("detail") or body.get("errors")
    if error is None and isinstance(body.get("message"), str) and "choices" not in body:
        error = body
    if isinstance(error, list):
        return _of_list(status, error)
    if isinstance(error, Mapping):
        return _of_object(status, error)
    return Fault(status=status, message=str(error)) if error else None


def _error_of_choice(body: Mapping[str, Any]) -> Any:
    try:
        return body["choices"][0]["error"]
    except (KeyError, IndexError, TypeError):
        return None


def _of_object(status: int, error: Mapping[str, Any]) -> Fault:
    inner = error.get("innererror")
    inner = inner if isinstance(inner, Mapping) else {}
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    code = str(error.get("code") or error.get("type") or "")
    message = str(error.get("message") or error.get("detail") or error.get("msg") or "")
    if isinstance(metadata.get("raw"), str):  # what the provider behind a gateway said
        message = f"{message}: {metadata['raw']}"
    reasons = metadata.get("reasons")
    found = inner.get("content_filter_result") or error.get("content_filter_result") or {}
    categories = [
        str(name)
        for name, result in (found.items() if isinstance(found, Mapping) else ())
        if isinstance(result, Mapping) and result.get("filtered")
    ]
    return Fault(
        status=int(code) if status < 400 and re.fullmatch(r"[45]\d\d", code) else status,
        message=message,
        code=code,
        parameter=str(error.get("param") or "").partition(".")[0],
        filtered=isinstance(reasons, list) or not _FILTERS.isdisjoint({code.lower(), str(inner.get("code")).lower()}),
        categories=tuple(map(str, reasons)) if isinstance(reasons, list) else tuple(categories),
    )


def _of_list(status: int, errors: list[Any]) -> Fault:
    """Of pydantic's list of errors, each with its place in the request."""
    messages, places = [], []
    for one in errors[:5]:
        if not isinstance(one, Mapping):
            messages.append(str(one))
            continue
        place = one.get("loc")
        place = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
        places += place[:1]
        messages.append(f"{'.'.join(place)}: " * bool(place) + str(one.get("msg") or one.get("message") or ""))
    return Fault(status=status, message="; ".join(messages), parameter=places[0] if places else "")

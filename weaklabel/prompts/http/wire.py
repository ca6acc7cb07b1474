"""Requests as an endpoint takes them: by its API, and without the fields that it has refused."""

from __future__ import annotations

from typing import Any

from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.http.failures import SYSTEM_ROLE, TOKEN_LIMITS, refused_field
from weaklabel.prompts.http.faults import Fault

PATHS = {"chat": "/chat/completions", "responses": "/responses"}
_IN_RESPONSES = {"text": "response_format", "include": "logprobs", "reasoning": "reasoning_effort"}
"""Fields of the Responses API, by those of chat completions that they come from."""


class Wire:
    """The form of requests to one endpoint.

    Attributes:
        path: to which they are posted, after the base URL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._unknown: dict[str, set[str]] = {}  # by model: fields that the endpoint refused
        self.path = PATHS[endpoint.api]

    def body(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request with `max_tokens` for the length of the reply, as this endpoint takes it."""
        return self.encode(self.known(body))

    def encode(self, known: dict[str, Any]) -> dict[str, Any]:
        """A request of known fields in the form of the endpoint's API."""
        return known if self._endpoint.api == "chat" else _for_responses(known)

    def known(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request without the fields that the endpoint has refused; a chat completion, whatever the API."""
        body = dict(body)
        if self._endpoint.api == "responses":
            body.setdefault("store", False)  # else the endpoint keeps items and replies
        field: str = self._endpoint.max_tokens_field
        unknown = self._unknown.get(body["model"], ())
        for one in unknown:
            if one == field:
                field = TOKEN_LIMITS[field]
            else:
                body.pop(one, None)
        if SYSTEM_ROLE in unknown:
            body["messages"] = _without_system(body["messages"])
        if "logprobs" not in body:
            body.pop("top_logprobs", None)
        body[field] = body.pop("max_tokens")
        return body

    def refuses(self, fault: Fault, sent: dict[str, Any]) -> str | None:
        """The field that a fault says the endpoint does not know, where a call can do without it.

        Args:
            fault: what the endpoint says.
            sent: the request before `encode`.
        """
        if self._endpoint.api == "responses":
            name = fault.parameter.partition("[")[0]
            fault = fault._replace(
                parameter=_IN_RESPONSES.get(name, name), message=fault.message.replace("text.format", "response_format")
            )
        field = refused_field(fault, sent)
        if field in TOKEN_LIMITS and (
            self._endpoint.api == "responses" or TOKEN_LIMITS[field] in self._unknown.get(sent["model"], ())
        ):
            return None  # one of the two names must stay
        return field

    def leave_out(self, field: str, model: str) -> None:
        """Send a field no more."""
        self._unknown.setdefault(model, set()).add(field)


def _for_responses(chat: dict[str, Any]) -> dict[str, Any]:
    """The request for a chat completion as one of the Responses API."""
    body = dict(chat)
    body["input"] = body.pop("messages")
    for name in TOKEN_LIMITS:
        if name in body:
            body["max_output_tokens"] = body.pop(name)
    if body.pop("logprobs", None):
        body["include"] = [*body.get("include", ()), "message.output_text.logprobs"]
    if (response_format := body.pop("response_format", None)) is not None:
        text = {"format": {"type": "json_schema", **response_format["json_schema"]}}
        body["text"] = {**body.get("text", {}), **text}
    if (effort := body.pop("reasoning_effort", None)) is not None:
        body["reasoning"] = {**body.get("reasoning", {}), "effort": effort}
    if (verbosity := body.pop("verbosity", None)) is not None:
        body["text"] = {**body.get("text", {}), "verbosity": verbosity}
    return body


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with the system message at the start of the user's first one."""
    system, first, *rest = messages
    if system["role"] != "system":
        return messages
    return [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *rest]

"""Where prompts are sent: settings of an endpoint. The key itself stays in the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from weaklabel.errors import InvalidArgumentError, WeaklabelError

_OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent to local servers, which ask for no key but get the header all the same."""


class EndpointError(WeaklabelError, RuntimeError):
    """An endpoint refuses the key or the model, or answers nothing at all. What it did answer is in the cache."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that speaks the OpenAI protocol, and how hard it may be driven.

    Attributes:
        base_url: as "http://localhost:11434/v1"; OPENAI_BASE_URL of the environment where not given, else OpenAI's.
        key_variable: the NAME of the environment variable that holds the key. Read when a run starts. One of fewer than
            eight characters is taken for a placeholder, and not cut out of replies.
        concurrency: calls in flight.
        requests_per_minute, tokens_per_minute: limits of the account; None for none.
        timeout: seconds for one attempt, from the first byte sent to the last received.
        max_retries: further attempts after one that may go better next time: 408, 409, 429, 5xx, lost connections,
            timeouts and bodies that cannot be read.
        max_retry_wait: seconds; a longer Retry-After ends the call as an error.
        max_response_bytes: a longer reply is an error, and is not read to its end.
        api: "chat" for chat completions, which every endpoint has; "responses" for the Responses API, POST /responses.
        max_tokens_field: the field that limits the length of a chat completion; Ollama knows "max_tokens" only.
        headers: further headers of each call, for gateways; `{"X-Auth": "$GATEWAY_KEY"}` reads an environment variable,
            so that what is secret stays there.
        key: a function that returns the key, called before each attempt, for keys that expire; it goes before
            key_variable. Not in `to_dict`.
        azure_api_version: for deployments of Azure, which are addressed by version; base_url is the resource's.
    """

    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 64
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 60.0
    max_retries: int = 6
    max_retry_wait: float = 300.0
    max_response_bytes: int = 1 << 20
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    azure_api_version: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    key: Callable[[], str] | None = dataclasses.field(default=None, repr=False)
    api: Literal["chat", "responses"] = "chat"

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout", "max_response_bytes", "max_retry_wait"):
            if not getattr(self, name) > 0:
                raise InvalidArgumentError(f"{name} must be above 0, got {getattr(self, name)!r}", field=name)
        for name in ("requests_per_minute", "tokens_per_minute"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise InvalidArgumentError(f"{name} must be above 0, got {getattr(self, name)!r}", field=name)
        if self.max_retries < 0:
            raise InvalidArgumentError(f"max_retries must be at least 0, got {self.max_retries}", field="max_retries")
        if self.max_tokens_field not in ("max_completion_tokens", "max_tokens"):
            raise InvalidArgumentError(
                f"max_tokens_field: {self.max_tokens_field!r} is not known", field="max_tokens_field"
            )
        if self.api not in ("chat", "responses"):
            raise InvalidArgumentError(f'api must be "chat" or "responses", got {self.api!r}', field="api")
        for name, value in self.headers.items():
            if not (
                isinstance(name, str)
                and isinstance(value, str)
                and name.isascii()
                and name.strip()
                and "\n" not in value
            ):
                raise InvalidArgumentError(f"headers: {name!r} must be a name with a text", field="headers")
        if self.key is not None and not callable(self.key):
            raise InvalidArgumentError(
                "key must be a function that returns the key; a key itself belongs into key_variable", field="key"
            )
        if self.base_url is not None:
            _check_url(self.base_url, "base_url")
        if self.azure_api_version is not None and self.base_url is None:
            raise InvalidArgumentError("azure_api_version needs the base_url of the resource", field="base_url")

    @property
    def url(self) -> str:
        """The base URL in force, without a slash at its end: this names the endpoint in the cache.

        Raises:
            InvalidArgumentError: if that of the environment is not a URL, or holds a key.
        """
        if self.base_url is None and (url := os.environ.get("OPENAI_BASE_URL")):
            _check_url(url, "OPENAI_BASE_URL")
            return url.rstrip("/")
        return (self.base_url or _OPENAI).rstrip("/")

    def read_key(self) -> str:
        """The key in the environment; a placeholder for local servers, which ask for none.

        Raises:
            EndpointError: if there is none, and the endpoint is OpenAI's, or `key` returns none.
        """
        if self.key is not None:
            returned = self.key()
            if not isinstance(returned, str) or not returned:
                raise EndpointError(f"the key function of {self.url} returned no key, but {type(returned).__name__}")
            return returned
        key = os.environ.get(self.key_variable)
        if not key and self.url == _OPENAI:
            raise EndpointError(f"no key: set the environment variable {self.key_variable}")
        return key or NO_KEY

    def read_headers(self) -> dict[str, str]:
        """The further headers, with what they read of the environment.

        Raises:
            EndpointError: if a variable is not set.
        """
        read = {}
        for name, value in self.headers.items():
            if value.startswith("$") and os.environ.get(value[1:]) is None:
                raise EndpointError(f"header {name}: set the environment variable {value[1:]}")
            read[name] = os.environ[value[1:]] if value.startswith("$") else value
        return read

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values; no key is among them, and no function that returns one."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "key"}
        return values | {"headers": dict(self.headers)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings out of `to_dict`.

        Raises:
            InvalidArgumentError: for settings that are unknown or not acceptable.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise InvalidArgumentError(f"an endpoint cannot be made of this: {error}") from None


def _check_url(url: str, name: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidArgumentError(f"{name} must start with http:// or https://", field="base_url")
    if parts.username or parts.password or parts.query:
        raise InvalidArgumentError(
            f"{name} must hold no key: it has a variable of its own, key_variable", field="base_url"
        )

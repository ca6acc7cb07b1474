"""Where prompts are sent: settings of an endpoint. The key itself stays in the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
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
        max_tokens_field: the field that limits the length of a reply; Ollama knows "max_tokens" only.
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
            EndpointError: if there is none, and the endpoint is OpenAI's.
        """
        key = os.environ.get(self.key_variable)
        if not key and self.url == _OPENAI:
            raise EndpointError(f"no key: set the environment variable {self.key_variable}")
        return key or NO_KEY

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values; no key is among them."""
        return dataclasses.asdict(self)

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

"""A prompt ready to run: at its endpoint and price, with its request builder and vote builder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.budget import Cost
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.pricing import Price, Tokens
from weaklabel.prompts.requests.answers import AnswerRequests
from weaklabel.prompts.requests.builder import PromptRequest, RequestBuilder
from weaklabel.prompts.requests.spans import SpanRequests
from weaklabel.prompts.responses.parser import ParsedResponse
from weaklabel.prompts.responses.spans import SpanReader
from weaklabel.prompts.responses.voting import VoteBuilder


class Reader(Protocol):
    """Reads the responses to a prompt."""

    def parse(self, response: Mapping[str, Any], shown: tuple[str, ...] | None) -> ParsedResponse:
        """The parsed response to a request that showed this."""
        ...


class PreparedPrompt:
    """A prompt, its endpoint and its price, prepared once per run.

    Args:
        prompt: the prompt.
        name: of the source.
        endpoint: that it names.
        price: of its model; None where it is not known.
        requests: builds its requests.
        reader: reads its responses.
    """

    def __init__(
        self,
        prompt: Prompt,
        name: str,
        endpoint: Endpoint,
        price: Price | None,
        requests: RequestBuilder,
        reader: Reader,
    ) -> None:
        self.prompt, self.name = prompt, name
        self.endpoint, self.url, self.price = endpoint, endpoint.url, price
        self.requests, self.reader = requests, reader

    def key(self, request: PromptRequest, sample: int) -> bytes:
        """The key of a response in the cache: everything that shapes it."""
        # What one API answers is no response of the other.
        place = self.url if self.endpoint.api == "chat" else f"{self.url} {self.endpoint.api}"
        text = json.dumps([place, request.body, sample], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def cost(self, tokens: Tokens, part: float = 1.0) -> Cost:
        """What tokens cost, of which `part` is paid."""
        return Cost.of(tokens, self.price, part)

    def most_cost(self, request: PromptRequest, part: float = 1.0) -> Cost:
        """The most that a call may cost."""
        return self.cost(self.requests.most_tokens(request), part)


class PreparedFunction(PreparedPrompt):
    """A prompt that votes, ready to run.

    Args:
        prompt: the prompt.
        endpoint: that it names.
        price: of its model; None where it is not known.
        field: the one of several fields of its answers that this source reads. The requests of them all are the same,
            and so is the response.
    """

    def __init__(
        self, prompt: PromptFunction, endpoint: Endpoint, price: Price | None, field: str | None = None
    ) -> None:
        self.votes = VoteBuilder(prompt, field)
        self.logprobs = prompt.votes == "logprobs"
        name = prompt.name if field is None else f"{prompt.name}.{field}"
        super().__init__(prompt, name, endpoint, price, AnswerRequests(prompt), self.votes)


def prepare(prompt: Prompt, endpoint: Endpoint, price: Price | None) -> list[PreparedPrompt]:
    """A prompt ready to run, once for each source that it makes.

    Raises:
        InvalidArgumentError: for what is no prompt.
    """
    if isinstance(prompt, PromptFunction):
        return [PreparedFunction(prompt, endpoint, price, field) for field in prompt.fields or (None,)]
    if isinstance(prompt, SpanPrompt):
        return [PreparedPrompt(prompt, prompt.name, endpoint, price, SpanRequests(prompt), SpanReader(prompt))]
    raise InvalidArgumentError(f"{prompt!r} is not a PromptFunction", field="functions")

"""A prompt ready to run: at its endpoint and price, with its request builder and vote builder."""

from __future__ import annotations

import hashlib
import json

from weaklabel.prompts.budget import Cost
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.pricing import Price, Tokens
from weaklabel.prompts.requests.builder import PromptRequest, RequestBuilder
from weaklabel.prompts.responses.voting import VoteBuilder


class PreparedPrompt:
    """A prompt, its endpoint and its price, prepared once per run.

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
        self.prompt = prompt
        self.name = prompt.name if field is None else f"{prompt.name}.{field}"
        self.endpoint = endpoint
        self.url = endpoint.url
        self.price = price
        self.requests = RequestBuilder(prompt)
        self.votes = VoteBuilder(prompt, field)

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

"""A call to an endpoint and its reply, as records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from weaklabel.prompts.budget import Cost
from weaklabel.prompts.pricing import Tokens


class Call(NamedTuple):
    """One call.

    Attributes:
        body: of the request, with `max_tokens` for the length of the reply.
        expected: the number of tokens that it is expected to take.
        most: the most that it may cost.
        cost: what tokens cost.
    """

    body: dict[str, Any]
    expected: Tokens
    most: Cost
    cost: Callable[[Tokens], Cost]

    def shortened(self, max_tokens: int) -> Call:
        """The call with a shorter reply, and what that may cost at most."""
        most = self.cost(Tokens(self.most.tokens - self.body["max_tokens"], max_tokens))
        return self._replace(body={**self.body, "max_tokens": max_tokens}, most=most)


class Reply(NamedTuple):
    """What came back: the body of a chat completion with its bytes, or why there is none.

    Attributes:
        body: the completion; None where every attempt failed.
        raw: its bytes.
        tokens: what it took by the endpoint's account, or, where it gives none, the most that it may have taken.
        error: why there is no body.
        refused: whether a content filter declined the item.
        affordable: False where the budget did not hold the call, which was then not sent.
    """

    body: dict[str, Any] | None = None
    raw: bytes = b""
    tokens: Tokens = Tokens(0, 0)
    error: str | None = None
    refused: bool = False
    affordable: bool = True

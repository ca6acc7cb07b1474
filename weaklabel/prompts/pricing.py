"""What calls cost: an editable table of prices, and the number of tokens of a text, expected and at most."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from weaklabel.errors import InvalidArgumentError

_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
_BYTES_PER_TOKEN = 3.5  # of English; the exact number needs the model's own tokenizer
_MESSAGE_TOKENS = 8  # that a chat template puts around a message


class Tokens(NamedTuple):
    """Numbers of tokens."""

    input: float
    output: float

    @property
    def total(self) -> float:
        """Both."""
        return self.input + self.output


@dataclass(frozen=True)
class Price:
    """USD per million tokens.

    Attributes:
        input, output: of each kind.
        batch: what part of the price a batch pays.
    """

    input: float
    output: float
    batch: float = 0.5

    def __post_init__(self) -> None:
        for name in ("input", "output", "batch"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise InvalidArgumentError(
                    f"prices: {name} must be a number of at least 0, got {value!r}", field="prices"
                )

    def of(self, tokens: Tokens) -> float:
        """USD for so many tokens, not in a batch."""
        return (tokens.input * self.input + tokens.output * self.output) / 1e6


# As published in August 2025. Prices change: give your own table where the bill matters.
_PUBLISHED = {
    "gpt-4.1": Price(2.00, 8.00),
    "gpt-4.1-mini": Price(0.40, 1.60),
    "gpt-4.1-nano": Price(0.10, 0.40),
    "gpt-4o": Price(2.50, 10.00),
    "gpt-4o-mini": Price(0.15, 0.60),
    "gpt-5": Price(1.25, 10.00),
    "gpt-5-mini": Price(0.25, 2.00),
    "gpt-5-nano": Price(0.05, 0.40),
    "o3": Price(2.00, 8.00),
    "o4-mini": Price(1.10, 4.40),
}


@dataclass(frozen=True)
class PriceTable:
    """Prices by the name of the model; "gpt-5-mini-2025-08-07" costs what "gpt-5-mini" does.

    Attributes:
        prices: the table.
    """

    prices: Mapping[str, Price]

    @classmethod
    def default(cls) -> Self:
        """Prices as published in August 2025."""
        return cls(dict(_PUBLISHED))

    def with_prices(self, **prices: Price) -> Self:
        """The table with some prices set; names that are not identifiers go by `**{"my-model": Price(0, 0)}`."""
        return type(self)({**self.prices, **prices})

    def of(self, model: str) -> Price | None:
        """The price of a model, or None where it is not known."""
        return self.prices.get(model) or self.prices.get(_DATE.sub("", model))

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, Any]]) -> Self:
        """A table out of {"model": {"input": USD a million, "output": ..., "batch": part}}.

        Raises:
            InvalidArgumentError: for anything else.
        """
        try:
            return cls({model: Price(**price) for model, price in values.items()})
        except (AttributeError, TypeError) as error:
            raise InvalidArgumentError(f"prices: {error}", field="prices") from None

    def to_dict(self) -> dict[str, dict[str, float]]:
        """The table as JSON values."""
        return {name: {"input": p.input, "output": p.output, "batch": p.batch} for name, p in self.prices.items()}


def expected_tokens(messages: list[dict[str, Any]]) -> float:
    """The expected number of tokens of messages."""
    return sum(_MESSAGE_TOKENS + len(one["content"].encode()) / _BYTES_PER_TOKEN for one in messages)


def most_tokens(messages: list[dict[str, Any]]) -> float:
    """The most tokens that messages can have: no common tokenizer makes more tokens than there are bytes."""
    return sum(_MESSAGE_TOKENS + len(one["content"].encode()) for one in messages)

"""Money and tokens: what was spent, what may still be billed, and a budget that is never passed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.pricing import Price, Tokens


@dataclass(frozen=True)
class Budget:
    """A limit that stops a run hard: what is in flight counts with the most that it may cost.

    Attributes:
        money: USD, or None for no limit.
        tokens: of input and output together, or None.
    """

    money: float | None = None
    tokens: float | None = None

    def __post_init__(self) -> None:
        for name in ("money", "tokens"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
                raise InvalidArgumentError(f"budget: {name} must be at least 0, got {value!r}", field="budget")

    def to_dict(self) -> dict[str, float]:
        """The budget as JSON values."""
        return {name: value for name, value in (("money", self.money), ("tokens", self.tokens)) if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The budget out of `to_dict`.

        Raises:
            InvalidArgumentError: for anything else.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise InvalidArgumentError(f"budget: {error}", field="budget") from None


class Cost(NamedTuple):
    """Tokens and USD; money is 0 where the price of the model is not known."""

    tokens: float
    money: float

    @classmethod
    def of(cls, tokens: Tokens, price: Price | None, part: float = 1.0) -> Cost:
        """The cost of tokens at a price, of which `part` is paid."""
        return cls(tokens.total, 0.0 if price is None else price.of(tokens) * part)


class Ledger:
    """The account of one run.

    Attributes:
        spent: what replies have cost.
        unconfirmed: the most that calls without a reply may have cost: timeouts, lost connections, cancelled calls.
    """

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget or Budget()
        self.spent = Cost(0, 0)
        self.unconfirmed = Cost(0, 0)
        self._reserved = Cost(0, 0)
        self._in_flight = 0
        self._settled = asyncio.Event()

    async def reserve(self, most: Cost) -> bool:
        """Set aside the most that a call may cost; False where the budget does not hold it whatever comes back."""
        while not self.fits(most):
            if not self._in_flight:
                return False
            self._settled.clear()
            await self._settled.wait()
        self.hold(most)
        return True

    def hold(self, most: Cost) -> None:
        """Set aside the most that a call may cost, whether the budget holds it or not."""
        self._reserved = _add(self._reserved, most)
        self._in_flight += 1

    def settle(self, most: Cost, actual: Cost | None) -> None:
        """End a reservation with what the call did cost; None where that is not known."""
        if actual is None:
            self.unconfirmed = _add(self.unconfirmed, most)
        else:
            self.spent = _add(self.spent, actual)
        self._reserved = Cost(self._reserved.tokens - most.tokens, self._reserved.money - most.money)
        self._in_flight -= 1
        self._settled.set()

    def fits(self, most: Cost) -> bool:
        """Whether the budget holds a call beside all that is spent or set aside."""
        total = _add(_add(self.spent, self.unconfirmed), _add(self._reserved, most))
        budget = self._budget
        return (budget.money is None or total.money <= budget.money + 1e-12) and (
            budget.tokens is None or total.tokens <= budget.tokens
        )


def _add(one: Cost, other: Cost) -> Cost:
    return Cost(one.tokens + other.tokens, one.money + other.money)

"""What runs of prompts may spend: the most that calls may cost, what responses have cost, and what is left."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from weaklabel import prompts as library
from weaklabel.prompts import Budget, Endpoint, PromptFunction
from weaklabel.prompts.cache import Entry, ResponseCache
from weaklabel.prompts.responses.completion import usage
from weaklabel_server.prompt_settings import BudgetTable
from weaklabel_server.store import prompts
from weaklabel_server.store.operations import Operation
from weaklabel_server.store.projects import Project


class Cost(NamedTuple):
    """USD and tokens."""

    money: float
    tokens: float


class ChargedCache(ResponseCache):
    """The responses; each is charged in the store before it counts, so that a killed server forgets no spending."""

    def __init__(self, path: Path, charge: Callable[[Sequence[Entry]], None]) -> None:
        super().__init__(path)
        self._charge = charge

    def put_many(self, entries: Iterable[Entry]) -> None:
        """Charges responses, then keeps them."""
        listed = list(entries)
        self._charge(listed)
        super().put_many(listed)


def cost_of(entry: Entry, most: Cost, prices: library.PriceTable) -> Cost:
    """What a response has cost; the most that it may have cost where the endpoint gives no usage."""
    tokens, price = usage(json.loads(entry.response)), prices.of(entry.model)
    if tokens is None:
        return most
    return Cost(0.0 if price is None else price.of(tokens), tokens.total)


def most_in_flight(
    functions: Sequence[PromptFunction], endpoints: Mapping[str, Endpoint], n_items: int, most: Mapping[str, Cost]
) -> Cost:
    """The most that all calls in flight may cost; `most` is that of one call, by model."""
    money = tokens = 0.0
    for name, endpoint in endpoints.items():
        there = [one for one in functions if one.endpoint == name]
        n_calls = min(endpoint.concurrency, n_items * sum(one.samples for one in there))
        money += n_calls * max((most[one.model].money for one in there), default=0.0)
        tokens += n_calls * max((most[one.model].tokens for one in there), default=0.0)
    return Cost(money, tokens)


def open_budget(
    tx: Connection, operation: Operation, project: Project, limit: BudgetTable, in_flight: Cost
) -> Budget | None:
    """What is left to a run to spend; notes in the store what may be lost when the server dies."""
    prompts.break_off(tx, operation)  # a start that was killed
    spent = prompts.spending(tx, project)
    left_money = inf if limit.money is None else max(limit.money - spent.money - spent.unconfirmed_money, 0.0)
    left_tokens = inf if limit.tokens is None else max(limit.tokens - spent.tokens - spent.unconfirmed_tokens, 0.0)
    prompts.hold(tx, operation, min(in_flight.money, left_money), min(in_flight.tokens, left_tokens))
    if limit.money is None and limit.tokens is None:
        return None
    return Budget(None if limit.money is None else left_money, None if limit.tokens is None else left_tokens)

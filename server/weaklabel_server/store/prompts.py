"""Runs of prompts: what they spend, and what came of them. Everything else is in their operation.

prompt_votes.py stores the votes that they make.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from weaklabel.votes.symbols import Symbols
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.pages import Page
from weaklabel_server.store import operations, schema, side_data
from weaklabel_server.store.chunks import Codes
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.operations import Operation, PromptSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideData, SideKind

CACHE_FILE = "prompts.sqlite"
"""Of responses, in the data directory; "prompts-KEY.sqlite" of one project where they are kept apart."""

_runs = schema.prompt_runs.c


@dataclass(frozen=True)
class Spending:
    """USD and tokens. Unconfirmed is the most that calls without a reply may have cost, those in flight included."""

    money: float = 0.0
    tokens: float = 0.0
    unconfirmed_money: float = 0.0
    unconfirmed_tokens: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PromptRun:
    """A run as it stands in one transaction; votes_version is 0 while it has made no votes."""

    key: int
    run_id: str
    side_data_id: str
    votes_version: int
    spending: Spending
    budget_reached: bool
    summaries: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    create_time: int


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The answers of P prompts about N items.

    Attributes:
        source_names: P names.
        codes: [N, P] as of Votes.
        symbols: What codes from K on stand for.
        missing: [N, P] what was not asked.
        item_ids: N ids; None where items are numbered.
        budget_reached: Whether the budget ended the run.
        summaries: One a prompt, in JSON.
        failures: Cells without an answer, in JSON.
    """

    source_names: tuple[str, ...]
    codes: Codes
    symbols: Symbols
    missing: NDArray[np.bool_]
    item_ids: list[str] | None
    budget_reached: bool
    summaries: list[dict[str, Any]]
    failures: list[dict[str, Any]]


def find_items(tx: Connection, project: Project, side_data_id: str) -> SideData:
    """The side data that holds items.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, ITEM_NAMING_MIXED; INVALID_FIELD when it holds something else.
    """
    side = side_data.get(tx, project, side_data_id)
    if side.kind is not SideKind.FIELDS:
        raise invalid("items", f"side data of kind {SideKind.FIELDS}, this is of kind {side.kind}")
    if project.named_items not in (None, side.named_items):
        raise ServiceError(
            Reason.ITEM_NAMING_MIXED,
            "this project names its items: every row needs an id"
            if project.named_items
            else "this project numbers its items by position: rows must have no ids",
        )
    return side


def create(tx: Connection, project: Project, settings: PromptSettings) -> Operation:
    """Adds a run to the queue."""
    operation = operations.create(tx, project, 0, settings)
    tx.execute(insert(schema.prompt_runs).values(operation_key=operation.key, project_key=project.key))
    return operation


def get(tx: Connection, project: Project, run_id: str) -> PromptRun:
    """One run.

    Raises:
        ServiceError: PROMPT_RUN_NOT_FOUND.
    """
    row = tx.execute(_select(project).where(schema.operations.c.operation_id == run_id)).first()
    if row is None:
        raise ServiceError(
            Reason.PROMPT_RUN_NOT_FOUND,
            f'project "{project.project_id}" has no run of prompts "{run_id}"',
            metadata={"project": project.project_id, "prompt_run": run_id},
        )
    return _run(row)


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[PromptRun]:
    """Up to size + 1 runs, newest first."""
    return [_run(row) for row in tx.execute(newest_first(_select(project), _runs.operation_key, page))]


def spending(tx: Connection, project: Project) -> Spending:
    """What all runs of a project have spent."""
    sums = [
        _runs.money,
        _runs.tokens,
        _runs.unconfirmed_money + _runs.held_money,
        _runs.unconfirmed_tokens + _runs.held_tokens,
    ]
    query = select(*(func.coalesce(func.sum(one), 0.0) for one in sums)).where(_runs.project_key == project.key)
    return Spending(*tx.execute(query).one())


def hold(tx: Connection, operation: Operation, money: float, tokens: float) -> None:
    """Notes the most that calls in flight may cost, before the first of them is sent."""
    _change(tx, operation, held_money=money, held_tokens=tokens)


def charge(tx: Connection, operation: Operation, money: float, tokens: float) -> None:
    """Notes what replies have cost."""
    _change(tx, operation, money=_runs.money + money, tokens=_runs.tokens + tokens)


def settle(tx: Connection, operation: Operation, unconfirmed_money: float, unconfirmed_tokens: float) -> None:
    """Nothing is in flight any more, and the most that calls without a reply may have cost is known."""
    _change(
        tx,
        operation,
        unconfirmed_money=_runs.unconfirmed_money + unconfirmed_money,
        unconfirmed_tokens=_runs.unconfirmed_tokens + unconfirmed_tokens,
        held_money=0.0,
        held_tokens=0.0,
    )


def break_off(tx: Connection, operation: Operation) -> None:
    """Calls were cut off in flight: what was held for them may have been spent."""
    _change(
        tx,
        operation,
        unconfirmed_money=_runs.unconfirmed_money + _runs.held_money,
        unconfirmed_tokens=_runs.unconfirmed_tokens + _runs.held_tokens,
        held_money=0.0,
        held_tokens=0.0,
    )


def finish(tx: Connection, operation: Operation, answered: Answered, votes_version: int) -> None:
    """Keeps the summary of a run; votes_version is the version of the votes that it made, 0 where it made none."""
    _change(
        tx,
        operation,
        votes_version=votes_version,
        budget_reached=answered.budget_reached,
        summaries=answered.summaries,
        failures=answered.failures,
    )


def _change(tx: Connection, operation: Operation, **values: Any) -> None:
    tx.execute(update(schema.prompt_runs).where(_runs.operation_key == operation.key).values(**values))


def _select(project: Project) -> Select[Any]:
    return (
        select(schema.prompt_runs, *(schema.operations.c[name] for name in ("operation_id", "options", "create_time")))
        .join(schema.operations, schema.operations.c.key == _runs.operation_key)
        .where(_runs.project_key == project.key)
    )


def _run(row: Row[Any]) -> PromptRun:
    unconfirmed = row.unconfirmed_money + row.held_money, row.unconfirmed_tokens + row.held_tokens
    return PromptRun(
        key=row.operation_key,
        run_id=row.operation_id,
        side_data_id=row.options["side_data_id"],
        votes_version=row.votes_version,
        spending=Spending(row.money, row.tokens, *unconfirmed),
        budget_reached=row.budget_reached,
        summaries=row.summaries,
        failures=row.failures,
        create_time=row.create_time,
    )

"""Runs of prompts under the server's own keys, limits and budgets: the library's engine, on what the store holds."""

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from weaklabel import prompts as library
from weaklabel.errors import InvalidArgumentError, WeaklabelError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import Budget, Endpoint, EndpointError, Plan, PromptEngine, PromptFunction, PromptRun
from weaklabel.prompts.cache import Entry, ResponseCache
from weaklabel.votes import Votes
from weaklabel_protocol.v1 import side_data_pb2
from weaklabel_server.errors import Reason, ServiceError, cut, invalid
from weaklabel_server.jobs.spending import ChargedCache, Cost, cost_of, most_in_flight, open_budget
from weaklabel_server.prompt_settings import BudgetTable, EndpointTable, PromptFile
from weaklabel_server.store import projects, prompts, side_data
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation, PromptProgress, PromptSettings, Stage
from weaklabel_server.store.projects import Project
from weaklabel_server.store.prompt_votes import Keep, store_in_turn
from weaklabel_server.store.prompts import CACHE_FILE, Answered, Spending
from weaklabel_server.store.side_data import SideData

MAX_FAILURES = 100
"""So many cells without an answer are kept with their reasons."""
MAX_REASON_BYTES = 1_000

Report = Callable[[PromptProgress], None]
Store = Callable[[Callable[[Keep], bool]], bool]


@dataclass(frozen=True)
class Items:
    """N items: their texts by field, and N ids, or None where they are numbered."""

    texts: list[dict[str, Any]]
    ids: list[str] | None


class Prompts:
    """Plans and runs prompts. Its methods block, except `check`: run them in a thread."""

    def __init__(
        self,
        database: Database,
        settings: PromptFile,
        data_dir: Path,
        *,
        max_cells: int,
        max_runs: int,
        max_calls: int,
        keep_apart: Callable[[], bool] = lambda: False,
    ) -> None:
        """Makes the endpoints ready: of their limits, each of the runs at a time has its part.

        Raises:
            weaklabel.errors.InvalidArgumentError: The settings of an endpoint cannot be used.
        """
        # What fails is in the result of the run, not in the log.
        warnings.simplefilter("ignore", LabelingFunctionWarning)
        self._database = database
        self._settings = settings
        self._data_dir = data_dir
        self._keep_apart = keep_apart
        self._max_cells = max_cells
        self._max_calls = max_calls
        self._endpoints = {name: _endpoint(table, max_runs) for name, table in settings.endpoints.items()}
        prices = {model: library.Price(price.input, price.output) for model, price in settings.prices.items()}
        self._prices = library.PriceTable.default().with_prices(**prices)

    def budget(self, project: Project) -> BudgetTable:
        """What a project may spend."""
        return self._settings.budget_of(project.project_id)

    def check(
        self, tx: Connection, project: Project, settings: PromptSettings
    ) -> tuple[list[PromptFunction], SideData]:
        """The prompts of declarations and their items, if this server runs them.

        Raises:
            ServiceError: INVALID_FIELD, PROMPT_PRICE_UNKNOWN, PROMPT_RUN_TOO_LARGE; as of prompts.find_items.
        """
        functions = self.check_prompts(settings.prompts, project)
        side = prompts.find_items(tx, project, settings.side_data_id)
        calls = side.committed_rows * sum(one.samples for one in functions)
        if calls > self._max_calls:
            raise ServiceError(
                Reason.PROMPT_RUN_TOO_LARGE,
                f"{calls} calls are more than the {self._max_calls} that this server makes in one run; see "
                "WEAKLABEL_MAX_PROMPT_CALLS",
            )
        return functions, side

    def create(self, tx: Connection, project_id: str, settings: PromptSettings) -> Operation:
        """Adds a run to the queue, if this server can run it.

        Raises:
            ServiceError: PROJECT_NOT_FOUND; as of check.
        """
        project = projects.get(tx, project_id)
        self.check(tx, project, settings)
        return prompts.create(tx, project, settings)

    def check_prompts(self, declared: Sequence[Mapping[str, Any]], project: Project) -> list[PromptFunction]:
        """The prompts of declarations, if this server runs them.

        Raises:
            ServiceError: INVALID_FIELD, PROMPT_PRICE_UNKNOWN.
        """
        return [self._check(values, project, f"prompts[{at}]") for at, values in enumerate(declared)]

    def _check(self, values: Mapping[str, Any], project: Project, field: str) -> PromptFunction:
        try:
            prompt = PromptFunction.from_dict(values)
        except InvalidArgumentError as error:
            raise invalid(f"{field}.{error.field}" if error.field else field, str(error)) from None
        known = self._settings.endpoints
        if prompt.endpoint not in known:
            raise invalid(f"{field}.endpoint", f'"{prompt.endpoint}" is none of {", ".join(known)}')
        allowed = known[prompt.endpoint]
        if allowed.models is not None and prompt.model not in allowed.models:
            raise invalid(f"{field}.model", f'"{prompt.model}" is none of {", ".join(allowed.models)}')
        refused = sorted(set(prompt.parameters) - set(allowed.parameters))
        if refused:
            raise invalid(f"{field}.parameters", f'this server does not let prompts set "{refused[0]}"')
        if self.budget(project).money is not None and self._prices.of(prompt.model) is None:
            raise ServiceError(
                Reason.PROMPT_PRICE_UNKNOWN,
                f'this server knows no price of "{prompt.model}", which a budget in money needs',
                metadata={"model": prompt.model},
            )
        _check_votes(prompt, len(project.classes), field)
        return prompt

    def plan(self, project_id: str, settings: PromptSettings) -> tuple[Plan, Spending, BudgetTable]:
        """What a run would take; what the project has spent, and may spend. Nothing is sent.

        Raises:
            ServiceError: PROJECT_NOT_FOUND; as of check.
        """
        with self._database.read() as tx:
            project = projects.get(tx, project_id)
            spent = prompts.spending(tx, project)
            functions, side = self.check(tx, project, settings)
            items = _read_items(tx, side, functions)
        try:
            plan = library.plan(functions, items.texts, self._engine(self._cache_path(project)))
        except InvalidArgumentError as error:
            raise invalid("prompts", str(error)) from None
        return plan, spent, self.budget(project)

    def run(self, operation: Operation, report: Report) -> Store:
        """Runs prompts; returns what stores their votes, and ends the run by what it is given: see prompt_votes.

        Args:
            operation: The run.
            report: Called with the progress; what it raises ends the run. What is answered by then is kept.

        Raises:
            ServiceError: As of plan; PROMPT_ENDPOINT_FAILED; whatever report raises.
        """
        settings = operation.settings
        assert isinstance(settings, PromptSettings)
        report(PromptProgress(stage=Stage.READING))
        with self._database.read() as tx:
            project = projects.get(tx, operation.project_id)
            functions, side = self.check(tx, project, settings)
            items = _read_items(tx, side, functions)
        progress = PromptProgress(stage=Stage.ASKING)
        report(progress)
        most = self._most_of_calls(functions, items)
        in_flight = most_in_flight(functions, self._endpoints, len(items.texts), most)
        with self._database.write() as tx:
            budget = open_budget(tx, operation, project, self.budget(project), in_flight)

        def charge(entries: Sequence[Entry]) -> None:
            costs = [cost_of(entry, most[entry.model], self._prices) for entry in entries]
            with self._database.write() as tx:
                prompts.charge(tx, operation, sum(one.money for one in costs), sum(one.tokens for one in costs))

        def on_progress(now: library.PromptProgress) -> None:
            nonlocal progress
            progress = PromptProgress(
                stage=Stage.ASKING,
                total=now.total,
                done=now.done,
                cached=now.cached,
                errors=now.errors,
                missing=now.missing,
                money=now.money,
                tokens=now.tokens,
                seconds=now.seconds,
                rate=now.rate,
            )
            report(progress)

        try:
            with closing(ChargedCache(self._cache_path(project), charge)) as cache:
                engine = self._engine(cache, budget)
                ran = library.run(functions, items.texts, engine, n_classes=len(project.classes), progress=on_progress)
        except BaseException as error:
            # Refused before anything was answered: nothing is billed. Else what was in flight may be.
            refused = isinstance(error, EndpointError) and progress.done <= progress.cached
            with self._database.write() as tx:
                if refused or isinstance(error, InvalidArgumentError):
                    prompts.settle(tx, operation, 0.0, 0.0)
                else:
                    prompts.break_off(tx, operation)
            if isinstance(error, EndpointError):
                raise ServiceError(Reason.PROMPT_ENDPOINT_FAILED, self._without_urls(str(error))) from error
            if isinstance(error, InvalidArgumentError):
                raise invalid("prompts", str(error)) from error
            raise
        with self._database.write() as tx:
            prompts.settle(tx, operation, ran.spent.unconfirmed, ran.spent.unconfirmed_tokens)
        report(progress.at(Stage.STORING))
        answered = _answered(ran, items)

        def store(succeed: Callable[[Keep], bool]) -> bool:
            return store_in_turn(self._database, operation, answered, succeed, max_cells=self._max_cells)

        return store

    def _cache_path(self, project: Project) -> Path:
        """Where responses are kept: for each project apart where its plans must not tell what others have asked."""
        if not self._keep_apart():
            return self._data_dir / CACHE_FILE
        stem, suffix = CACHE_FILE.split(".")
        return self._data_dir / f"{stem}-{project.key}.{suffix}"

    def _engine(self, cache: ResponseCache | Path | None, budget: Budget | None = None) -> PromptEngine:
        return PromptEngine(endpoints=self._endpoints, cache=cache, prices=self._prices, budget=budget)

    def _most_of_calls(self, functions: Sequence[PromptFunction], items: Items) -> dict[str, Cost]:
        """By model, the most that one call may cost: that about the longest item."""
        longest = max(items.texts, key=lambda texts: sum(len(str(text).encode()) for text in texts.values()))
        most: dict[str, Cost] = {}
        for function in functions:
            try:
                (one,) = library.plan([function], [longest], self._engine(None)).prompts
            except InvalidArgumentError as error:
                raise invalid("prompts", str(error)) from None
            calls, before = max(one.calls, 1), most.get(function.model, Cost(0.0, 0.0))
            money, tokens = (one.most_money or 0.0) / calls, one.most_tokens / calls
            most[function.model] = Cost(max(money, before.money), max(tokens, before.tokens))
        return most

    def _without_urls(self, message: str) -> str:
        """A message that names endpoints instead of their URLs."""
        for name, endpoint in self._endpoints.items():
            message = message.replace(endpoint.url, f'endpoint "{name}"')
        return re.sub(r"https?://[^\s:]+(:\d+)?[^\s:]*", "another address", message)  # where an endpoint redirects to


def _read_items(tx: Connection, side: SideData, functions: Sequence[PromptFunction]) -> Items:
    """The items of side data, in their order."""
    texts: list[dict[str, Any]] = []
    ids: list[str] = []
    for chunk in side_data.chunks(tx, side):
        rows = side_data_pb2.SideRows.FromString(chunk.content).fields.items
        texts += [dict(row.values) for row in rows]
        ids += chunk.item_ids or []
    for name in {one.shortlist.candidates for one in functions if one.shortlist and one.shortlist.candidates}:
        for row in texts:
            row[name] = _listed(row.get(name))
    return Items(texts, ids or None)


def _endpoint(table: EndpointTable, max_runs: int) -> Endpoint:
    """An endpoint with the part of its limits that one of so many runs has."""
    values = table.model_dump(exclude={"models", "parameters"})
    values["concurrency"] = max(1, table.concurrency // max_runs)
    for name in ("requests_per_minute", "tokens_per_minute"):
        if values[name] is not None:
            values[name] /= max_runs
    return Endpoint.from_dict(values)


def _listed(text: str | None) -> list[Any] | None:
    """A list in JSON; None where it is not one, which is then an error of the item."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):  # the latter where brackets are nested deep
        return None
    return value if isinstance(value, list) else None


def _check_votes(prompt: PromptFunction, n_classes: int, field: str) -> None:
    """Refuses answers that stand for no vote over these classes."""
    try:
        if prompt.least_classes > n_classes:
            raise InvalidArgumentError(f"{prompt.least_classes} classes are spoken of, the project has {n_classes}")
        Votes.from_dense([[vote] for vote in prompt.answers.values()], n_classes)
    except WeaklabelError as error:
        raise invalid(f"{field}.answers", str(error)) from None


def _answered(ran: PromptRun, items: Items) -> Answered:
    summaries = []
    for one in ran.summary:
        agreement = None if isnan(one.agreement) else one.agreement
        values = asdict(one) | {"group": ran.families.get(one.name), "agreement": agreement}
        values |= {"money": one.money or 0.0, "price_unknown": one.money is None}
        summaries.append(values)
    return Answered(
        source_names=tuple(ran.votes.source_names),
        codes=ran.votes.to_codes(),
        symbols=ran.votes.symbols,
        missing=ran.missing,
        item_ids=items.ids,
        budget_reached=ran.stopped == "budget",
        summaries=summaries,
        failures=[
            {"prompt": one.function, "row": one.item, "reason": cut(one.error, MAX_REASON_BYTES)}
            for one in ran.failures[:MAX_FAILURES]
        ],
    )

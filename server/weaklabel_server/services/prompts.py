"""weaklabel.v1.PromptService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from weaklabel_protocol.v1 import prompts_pb2, prompts_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import invalid, prompts_not_configured
from weaklabel_server.interceptors import Context
from weaklabel_server.operations import OperationRunner
from weaklabel_server.prompt_settings import BudgetTable
from weaklabel_server.services.checks import check_names, check_request_id
from weaklabel_server.services.declarations import read_prompt
from weaklabel_server.services.messages import operation_message, timestamp
from weaklabel_server.store import projects, prompts
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation, PromptSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.prompts import PromptRun, Spending
from weaklabel_server.store.requests import once

if TYPE_CHECKING:
    from weaklabel.prompts import Plan
    from weaklabel_server.prompts import Prompts

MAX_PROMPTS = 100
_PLANS_AT_A_TIME = 2


class PromptService(prompts_pb2_grpc.PromptServiceServicer):
    """Prompts."""

    def __init__(self, database: Database, engine: "Prompts | None", runner: OperationRunner) -> None:
        self._database = database
        self._engine = engine
        self._runner = runner
        self._threads = ThreadPoolExecutor(_PLANS_AT_A_TIME, thread_name_prefix="plan")

    async def PlanPrompts(
        self, request: prompts_pb2.PlanPromptsRequest, context: Context
    ) -> prompts_pb2.PlanPromptsResponse:
        engine = self._configured()
        project_id, settings = _read(request.parent, request.prompts, request.items)
        plan, spending, budget = await asyncio.get_running_loop().run_in_executor(
            self._threads, engine.plan, project_id, settings
        )
        return prompts_pb2.PlanPromptsResponse(
            prompts=_plan_messages(plan), spending=_spending_message(spending, budget)
        )

    async def RunPrompts(
        self, request: prompts_pb2.RunPromptsRequest, context: Context
    ) -> prompts_pb2.RunPromptsResponse:
        check_request_id(request)
        engine = self._configured()
        project_id, settings = _read(request.parent, request.prompts, request.items)
        created: list[Operation] = []

        def create(tx: Connection) -> prompts_pb2.RunPromptsResponse:
            project = projects.get(tx, project_id)
            engine.check(tx, project, settings)
            operation = prompts.create(tx, project, settings)
            created.append(operation)
            return prompts_pb2.RunPromptsResponse(operation=operation_message(operation))

        async def create_and_submit() -> prompts_pb2.RunPromptsResponse:
            response = await self._database.run_write(once, request, prompts_pb2.RunPromptsResponse, create)
            for operation in created:
                self._runner.submit(operation)
            return response

        # A caller that hangs up must not leave an operation in the store that nobody runs.
        return await asyncio.shield(create_and_submit())

    async def GetPromptRun(
        self, request: prompts_pb2.GetPromptRunRequest, context: Context
    ) -> prompts_pb2.GetPromptRunResponse:
        project_id, run_id = names.parse_prompt_run(request.name, field="name")

        def get(tx: Connection) -> prompts_pb2.PromptRun:
            project = projects.get(tx, project_id)
            run = prompts.get(tx, project, run_id)
            message = _run_message(project, run)
            message.failures.extend(prompts_pb2.PromptFailure(**one) for one in run.failures)
            return message

        return prompts_pb2.GetPromptRunResponse(prompt_run=await self._database.run_read(get))

    async def ListPromptRuns(
        self, request: prompts_pb2.ListPromptRunsRequest, context: Context
    ) -> prompts_pb2.ListPromptRunsResponse:
        project_id = names.parse_project(request.parent, field="parent")
        page = pages.parse(f"{request.parent}/promptRuns", request.page_size, request.page_token, int)

        def list_page(tx: Connection) -> prompts_pb2.ListPromptRunsResponse:
            project = projects.get(tx, project_id)
            rows, token = pages.cut(page, prompts.list_page(tx, project, page), lambda run: run.key)
            return prompts_pb2.ListPromptRunsResponse(
                prompt_runs=[_run_message(project, run) for run in rows], next_page_token=token
            )

        return await self._database.run_read(list_page)

    async def GetPromptSpending(
        self, request: prompts_pb2.GetPromptSpendingRequest, context: Context
    ) -> prompts_pb2.GetPromptSpendingResponse:
        engine = self._configured()
        project_id = names.parse_project(request.parent, field="parent")

        def get(tx: Connection) -> prompts_pb2.PromptSpending:
            project = projects.get(tx, project_id)
            return _spending_message(prompts.spending(tx, project), engine.budget(project))

        return prompts_pb2.GetPromptSpendingResponse(spending=await self._database.run_read(get))

    def close(self) -> None:
        """Waits for the plans that are being made."""
        self._threads.shutdown(cancel_futures=True)

    def _configured(self) -> "Prompts":
        if self._engine is None:
            raise prompts_not_configured()
        return self._engine


def _read(parent: str, declared: Sequence[prompts_pb2.Prompt], items: str) -> tuple[str, PromptSettings]:
    """What a plan or a run is of, as far as it can be checked without the store."""
    project_id = names.parse_project(parent, field="parent")
    owner, side_data_id = names.parse_side_data(items, field="items")
    if owner != project_id:
        raise invalid("items", f'side data of "{parent}", got "{items}"')
    if not declared:
        raise invalid("prompts", "at least one prompt")
    check_names([one.name for one in declared], field="prompts", what="prompts", limit=MAX_PROMPTS)
    read = tuple(read_prompt(one, field=f"prompts[{at}]") for at, one in enumerate(declared))
    return project_id, PromptSettings(read, side_data_id)


def _plan_messages(plan: "Plan") -> list[prompts_pb2.PromptPlan]:
    return [
        prompts_pb2.PromptPlan(
            name=one.name,
            model=one.model,
            calls=one.calls,
            cached=one.cached,
            errors=one.errors,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            most_tokens=one.most_tokens,
            money=one.money,
            most_money=one.most_money,
        )
        for one in plan.prompts
    ]


def _spending_message(spending: Spending, budget: BudgetTable | None = None) -> prompts_pb2.PromptSpending:
    return prompts_pb2.PromptSpending(
        money=spending.money,
        tokens=spending.tokens,
        unconfirmed_money=spending.unconfirmed_money,
        unconfirmed_tokens=spending.unconfirmed_tokens,
        budget_money=None if budget is None else budget.money,
        budget_tokens=None if budget is None else budget.tokens,
    )


def _run_message(project: Project, run: PromptRun) -> prompts_pb2.PromptRun:
    return prompts_pb2.PromptRun(
        name=names.format_prompt_run(project.project_id, run.run_id),
        operation=names.format_operation(project.project_id, run.run_id),
        items=names.format_side_data(project.project_id, run.side_data_id),
        votes_version=run.votes_version,
        prompts=[prompts_pb2.PromptSummary(**one) for one in run.summaries],
        spending=_spending_message(run.spending),
        budget_reached=run.budget_reached,
        create_time=timestamp(run.create_time),
    )

"""weaklabel.v1.PromptService."""

# Methods have the names, arguments and documentation of the contract.
# ruff: noqa: ARG002, D102, N802

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from weaklabel_protocol.v1 import prompts_pb2, prompts_pb2_grpc
from weaklabel_server import names, pages
from weaklabel_server.errors import prompts_not_configured
from weaklabel_server.grpc_types import Context
from weaklabel_server.jobs.operations.runner import OperationRunner
from weaklabel_server.messages.checks import check_request_id
from weaklabel_server.messages.operations import operation_message
from weaklabel_server.messages.prompts import plan_messages, read_settings, run_message, spending_message
from weaklabel_server.store import projects, prompts
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation

if TYPE_CHECKING:
    from weaklabel_server.jobs.prompts import Prompts

_PLANS_AT_A_TIME = 2


class PromptService(prompts_pb2_grpc.PromptServiceServicer):
    """Prompts."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        job: "Prompts | None",
        runner: OperationRunner,
        *,
        max_message_bytes: int,
    ) -> None:
        self._database = database
        self._quotas = quotas
        self._max_message_bytes = max_message_bytes
        self._job = job
        self._runner = runner
        self._threads = ThreadPoolExecutor(_PLANS_AT_A_TIME, thread_name_prefix="plan")

    async def PlanPrompts(
        self, request: prompts_pb2.PlanPromptsRequest, context: Context
    ) -> prompts_pb2.PlanPromptsResponse:
        job = self._configured()
        project_id, settings = read_settings(request.parent, request.prompts, request.items)
        plan, spending, budget = await asyncio.get_running_loop().run_in_executor(
            self._threads, job.plan, project_id, settings
        )
        return prompts_pb2.PlanPromptsResponse(prompts=plan_messages(plan), spending=spending_message(spending, budget))

    async def RunPrompts(
        self, request: prompts_pb2.RunPromptsRequest, context: Context
    ) -> prompts_pb2.RunPromptsResponse:
        check_request_id(request)
        job = self._configured()
        project_id, settings = read_settings(request.parent, request.prompts, request.items)

        def create(tx: Connection) -> Operation:
            self._quotas.check(tx, projects.get(tx, project_id).key, more=True)
            return job.create(tx, project_id, settings)

        return await self._runner.create(
            request,
            prompts_pb2.RunPromptsResponse,
            create,
            lambda operation: prompts_pb2.RunPromptsResponse(operation=operation_message(operation)),
        )

    async def GetPromptRun(
        self, request: prompts_pb2.GetPromptRunRequest, context: Context
    ) -> prompts_pb2.GetPromptRunResponse:
        project_id, run_id = names.parse_prompt_run(request.name, field="name")

        def get(tx: Connection) -> prompts_pb2.PromptRun:
            project = projects.get(tx, project_id)
            run = prompts.get(tx, project, run_id)
            message = run_message(project, run)
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
            listed, token = pages.fill(
                page,
                lambda part: prompts.list_page(tx, project, part),
                key=lambda run: run.key,
                message=lambda run: run_message(project, run),
                max_bytes=self._max_message_bytes,
            )
            return prompts_pb2.ListPromptRunsResponse(prompt_runs=listed, next_page_token=token)

        return await self._database.run_read(list_page)

    async def GetPromptSpending(
        self, request: prompts_pb2.GetPromptSpendingRequest, context: Context
    ) -> prompts_pb2.GetPromptSpendingResponse:
        job = self._configured()
        project_id = names.parse_project(request.parent, field="parent")

        def get(tx: Connection) -> prompts_pb2.PromptSpending:
            project = projects.get(tx, project_id)
            return spending_message(prompts.spending(tx, project), job.budget(project))

        return prompts_pb2.GetPromptSpendingResponse(spending=await self._database.run_read(get))

    def close(self) -> None:
        """Waits for the plans that are being made."""
        self._threads.shutdown(cancel_futures=True)

    def _configured(self) -> "Prompts":
        if self._job is None:
            raise prompts_not_configured()
        return self._job

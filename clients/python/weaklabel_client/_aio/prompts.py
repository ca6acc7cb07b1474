"""Prompts that the server runs, for asyncio. Arguments, results and errors: see weaklabel_client._sync.prompts."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from weaklabel_client._aio.connection import Connection
from weaklabel_client._aio.operations import PromptOperation
from weaklabel_client._protocol import calls, prompt_calls
from weaklabel_client._results.prompts import Plan, PromptRun, PromptSpending
from weaklabel_client._results.types import SideData, UploadProgress


class Prompts:
    """Prompts that the server runs under its own keys, limits and budgets. See weaklabel_client.Prompts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upload_items(
        self,
        project: str,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> SideData:
        """Uploads items, to be named by plans and runs."""
        return await self._connection.upload_side_data(
            project, "fields", items, items=ids, upload_id=upload_id, progress=progress, timeout=timeout
        )

    async def plan(
        self,
        project: str,
        prompts: Any,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Plan:
        """The cost of a run: calls, cached calls, tokens, price. Nothing is sent to any model."""
        name = await self._items(project, items, ids)
        return await self._connection.perform(prompt_calls.plan_prompts(project, prompts, name), timeout)

    async def run(
        self,
        project: str,
        prompts: Any,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> PromptOperation:
        """Starts a run on the server, and returns at once. Its votes become one new version, one source per prompt."""
        name = await self._items(project, items, ids)
        call = prompt_calls.run_prompts(project, prompts, name, request_id)
        return PromptOperation(self._connection, await self._connection.perform(call, timeout))

    async def operation(self, name: str, *, timeout: float | None = None) -> PromptOperation:
        """Picks up a run by the name of its operation: in another process, or after a crash."""
        return PromptOperation(self._connection, await self._connection.perform(calls.get_operation(name), timeout))

    async def get_run(self, project: str, run: str, *, timeout: float | None = None) -> PromptRun:
        """One run, by its id or its name."""
        return await self._connection.perform(prompt_calls.get_prompt_run(project, run), timeout)

    def list_runs(self, project: str) -> AsyncIterator[PromptRun]:
        """The runs of a project, newest first."""
        return self._connection.pages(prompt_calls.list_prompt_runs(project))

    async def spending(self, project: str, *, timeout: float | None = None) -> PromptSpending:
        """The spending of all runs of a project, and its budget."""
        return await self._connection.perform(prompt_calls.get_prompt_spending(project), timeout)

    async def _items(self, project: str, items: Any, ids: Iterable[str] | None) -> str:
        """The name of the side data that holds items; those that are not on the server are uploaded."""
        if isinstance(items, str):
            return items
        return items.name if isinstance(items, SideData) else (await self.upload_items(project, items, ids=ids)).name

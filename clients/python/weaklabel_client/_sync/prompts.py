"""Prompts that the server runs, for code that waits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from weaklabel_client._protocol import calls, prompt_calls
from weaklabel_client._results.prompts import Plan, PromptRun, PromptSpending
from weaklabel_client._results.types import SideData, UploadProgress
from weaklabel_client._sync.connection import Connection
from weaklabel_client._sync.operations import PromptOperation


class Prompts:
    """Prompts that the server runs under its own keys, limits and budgets: `client.prompts`.

    A prompt is a mapping as weaklabel's PromptFunction.to_dict gives it, or a PromptFunction; one, or a list of them:

        {"name": "asks_for_action", "model": "gpt-5-mini", "template": "Does it ask to click or buy? {text}",
         "answers": {"yes": 1, "no": -1, "clearly not spam": 0}}

    Answers stand for a class index, -1 to abstain, or one_of(...), not_(...), soft(...). Items are mappings from the
    names of fields to texts, or plain texts, whose field is "text"; or what upload_items returned.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload_items(
        self,
        project: str,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> SideData:
        """Uploads items, to be named by plans and runs: Client.upload_side_data of the kind "fields".

        Args:
            project: The project.
            items: N mappings or texts, a data frame, or a mapping from ids to them.
            ids: N ids, for a project that names its items. Without any, row r is item r.
            upload_id: A UUID, to take up an upload that was broken off.
            progress: See Client.upload_votes.
            timeout: Seconds for the whole upload; None for any time.
        """
        return self._connection.upload_side_data(
            project, "fields", items, items=ids, upload_id=upload_id, progress=progress, timeout=timeout
        )

    def plan(
        self,
        project: str,
        prompts: Any,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Plan:
        """The cost of a run: calls, cached calls, tokens, price. Nothing is sent to any model.

        Args:
            project: The project.
            prompts: A prompt, or a list of them.
            items: Items, which are uploaded first, or what upload_items returned, or its name.
            ids: See upload_items.
            timeout: Seconds for the plan, instead of the client's.

        Raises:
            FailedPrecondition: The server has no endpoint for prompts.
            InvalidArgument: A prompt cannot be asked, or names what the server does not allow.
        """
        name = self._items(project, items, ids)
        return self._connection.perform(prompt_calls.plan_prompts(project, prompts, name), timeout)

    def run(
        self,
        project: str,
        prompts: Any,
        items: Any,
        *,
        ids: Iterable[str] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> PromptOperation:
        """Starts a run on the server, and returns at once. Its votes become one new version, one source per prompt.

        Args:
            project: The project.
            prompts: See plan.
            items: See plan.
            ids: See upload_items.
            request_id: A UUID4; the same again picks up the run that it started. A fresh one by default.
            timeout: Seconds for the start, instead of the client's.

        Raises:
            FailedPrecondition: See plan.
            InvalidArgument: See plan.
        """
        name = self._items(project, items, ids)
        call = prompt_calls.run_prompts(project, prompts, name, request_id)
        return PromptOperation(self._connection, self._connection.perform(call, timeout))

    def operation(self, name: str, *, timeout: float | None = None) -> PromptOperation:
        """Picks up a run by the name of its operation: in another process, or after a crash."""
        return PromptOperation(self._connection, self._connection.perform(calls.get_operation(name), timeout))

    def get_run(self, project: str, run: str, *, timeout: float | None = None) -> PromptRun:
        """One run, by its id or its name."""
        return self._connection.perform(prompt_calls.get_prompt_run(project, run), timeout)

    def list_runs(self, project: str) -> Iterator[PromptRun]:
        """The runs of a project, newest first."""
        return self._connection.pages(prompt_calls.list_prompt_runs(project))

    def spending(self, project: str, *, timeout: float | None = None) -> PromptSpending:
        """The spending of all runs of a project, and its budget."""
        return self._connection.perform(prompt_calls.get_prompt_spending(project), timeout)

    def _items(self, project: str, items: Any, ids: Iterable[str] | None) -> str:
        """The name of the side data that holds items; those that are not on the server are uploaded."""
        if isinstance(items, str):
            return items
        return items.name if isinstance(items, SideData) else self.upload_items(project, items, ids=ids).name

"""The unary calls of prompts."""

from typing import Any

from weaklabel_client._inputs.prompts import prompt_messages
from weaklabel_client._protocol import rpcs
from weaklabel_client._protocol.calls import Call, Listing, listing, new_request_id
from weaklabel_client._protocol.resource_names import project_name, prompt_run_name
from weaklabel_client._results.prompts import Plan, PromptRun, PromptSpending
from weaklabel_protocol.v1 import operations_pb2, prompts_pb2


def plan_prompts(project: str, prompts: Any, items: str) -> Call[Plan]:
    """The cost of a run."""
    request = prompts_pb2.PlanPromptsRequest(
        parent=project_name(project), prompts=prompt_messages(prompts), items=items
    )
    return Call(rpcs.PLAN_PROMPTS, request, Plan.from_message)


def run_prompts(project: str, prompts: Any, items: str, request_id: str | None) -> Call[operations_pb2.Operation]:
    """Starts a run."""
    request = prompts_pb2.RunPromptsRequest(
        parent=project_name(project),
        prompts=prompt_messages(prompts),
        items=items,
        request_id=new_request_id() if request_id is None else request_id,
    )

    def operation(response: prompts_pb2.RunPromptsResponse) -> operations_pb2.Operation:
        return response.operation

    return Call(rpcs.RUN_PROMPTS, request, operation)


def get_prompt_run(project: str, run: str) -> Call[PromptRun]:
    """One run."""
    request = prompts_pb2.GetPromptRunRequest(name=prompt_run_name(project, run))
    return Call(rpcs.GET_PROMPT_RUN, request, lambda response: PromptRun.from_message(response.prompt_run))


def get_prompt_run_of(operation: operations_pb2.Operation) -> Call[PromptRun]:
    """The run that an operation was."""
    request = prompts_pb2.GetPromptRunRequest(name=operation.prompt_run)
    return Call(rpcs.GET_PROMPT_RUN, request, lambda response: PromptRun.from_message(response.prompt_run))


def list_prompt_runs(project: str) -> Listing[PromptRun]:
    """The runs of a project."""
    return listing(rpcs.LIST_PROMPT_RUNS, "prompt_runs", PromptRun.from_message, parent=project_name(project))


def get_prompt_spending(project: str) -> Call[PromptSpending]:
    """What a project has spent, and may spend."""
    request = prompts_pb2.GetPromptSpendingRequest(parent=project_name(project))
    return Call(rpcs.GET_PROMPT_SPENDING, request, lambda response: PromptSpending.from_message(response.spending))

"""The calls of prompts, and declarations as messages. No I/O; both twins perform these."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from weaklabel_client import _rpcs
from weaklabel_client._calls import Call, Listing
from weaklabel_client._names import project_name, prompt_run_name
from weaklabel_client._prompt_types import Plan, PromptRun, PromptSpending
from weaklabel_client._symbols import CandidateSet, Complement, SoftVote
from weaklabel_protocol.v1 import operations_pb2, prompts_pb2

_PAGE_SIZE = 1000
_PLAIN = ("name", "model", "template", "endpoint", "samples", "temperature", "max_tokens", "structured", "calibrate")
_OPTIONAL = ("family", "instructions")
_VOTES = {"answer": prompts_pb2.PROMPT_VOTES_ANSWER, "logprobs": prompts_pb2.PROMPT_VOTES_LOGPROBS}


def plan_prompts(project: str, prompts: Any, items: str) -> Call[Plan]:
    """What a run would take."""
    request = prompts_pb2.PlanPromptsRequest(
        parent=project_name(project), prompts=prompt_messages(prompts), items=items
    )
    return Call(_rpcs.PLAN_PROMPTS, request, Plan.from_message)


def run_prompts(project: str, prompts: Any, items: str, request_id: str | None) -> Call[operations_pb2.Operation]:
    """Starts a run."""
    request = prompts_pb2.RunPromptsRequest(
        parent=project_name(project),
        prompts=prompt_messages(prompts),
        items=items,
        request_id=str(uuid.uuid4()) if request_id is None else request_id,
    )

    def operation(response: prompts_pb2.RunPromptsResponse) -> operations_pb2.Operation:
        return response.operation

    return Call(_rpcs.RUN_PROMPTS, request, operation)


def get_prompt_run(project: str, run: str) -> Call[PromptRun]:
    """One run."""
    request = prompts_pb2.GetPromptRunRequest(name=prompt_run_name(project, run))
    return Call(_rpcs.GET_PROMPT_RUN, request, lambda response: PromptRun.from_message(response.prompt_run))


def get_prompt_run_of(operation: operations_pb2.Operation) -> Call[PromptRun]:
    """The run that an operation was."""
    request = prompts_pb2.GetPromptRunRequest(name=operation.prompt_run)
    return Call(_rpcs.GET_PROMPT_RUN, request, lambda response: PromptRun.from_message(response.prompt_run))


def list_prompt_runs(project: str) -> Listing[PromptRun]:
    """The runs of a project."""

    def page(token: str) -> Call[tuple[list[PromptRun], str]]:
        request = prompts_pb2.ListPromptRunsRequest(
            parent=project_name(project), page_size=_PAGE_SIZE, page_token=token
        )
        return Call(
            _rpcs.LIST_PROMPT_RUNS,
            request,
            lambda response: ([PromptRun.from_message(one) for one in response.prompt_runs], response.next_page_token),
        )

    return page


def get_prompt_spending(project: str) -> Call[PromptSpending]:
    """What a project has spent, and may spend."""
    request = prompts_pb2.GetPromptSpendingRequest(parent=project_name(project))
    return Call(_rpcs.GET_PROMPT_SPENDING, request, lambda response: PromptSpending.from_message(response.spending))


def prompt_messages(prompts: Any) -> list[prompts_pb2.Prompt]:
    """Declarations as messages: mappings as PromptFunction.to_dict gives them, or what has such a method.

    Raises:
        ValueError: One cannot be read; the message names its place.
    """
    listed: Iterable[Any] = [prompts] if isinstance(prompts, Mapping) or hasattr(prompts, "to_dict") else prompts
    return [_prompt_message(one, f"prompts[{at}]") for at, one in enumerate(listed)]


def _prompt_message(prompt: Any, place: str) -> prompts_pb2.Prompt:
    if hasattr(prompt, "to_dict"):
        prompt = prompt.to_dict()
    if not isinstance(prompt, Mapping):
        raise ValueError(f"{place}: a mapping, or an object with to_dict, is expected, got {prompt!r}")
    declared = dict(prompt)
    message = prompts_pb2.Prompt()
    try:
        _put(message, declared)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{place}: {error}") from None
    if declared:
        raise ValueError(f'{place}: there is no attribute "{min(map(str, declared))}"')
    return message


def _put(message: prompts_pb2.Prompt, declared: dict[str, Any]) -> None:
    """Moves the attributes of a declaration into a message; what it does not know stays."""
    for name in _PLAIN:
        if declared.get(name) is not None:
            setattr(message, name, declared[name])
        declared.pop(name, None)
    for name in _OPTIONAL:
        setattr(message, name, declared.pop(name, None) or "")
    votes = declared.pop("votes", "answer")
    if votes not in _VOTES:
        raise ValueError(f'votes: "{votes}" is neither "answer" nor "logprobs"')
    message.votes = _VOTES[votes]
    message.answers.extend(_answer(text, vote) for text, vote in dict(declared.pop("answers", {})).items())
    if parameters := declared.pop("parameters", None):
        message.parameters.update(parameters)
    for example in declared.pop("examples", ()):
        message.examples.add(fields=example["fields"], answer=example["answer"])
    message.example_count = declared.pop("n_examples", 0)
    if shortlist := declared.pop("shortlist", None):
        message.shortlist.CopyFrom(_shortlist(dict(shortlist)))


def _answer(text: str, vote: Any) -> prompts_pb2.PromptAnswer:
    answer = prompts_pb2.PromptAnswer(text=text)
    match vote:
        case CandidateSet(classes) | {"one_of": classes}:
            answer.one_of.indices.extend(classes)
        case Complement(classes) | {"not": classes}:
            answer.none_of.indices.extend(classes)
        case SoftVote(probabilities) | {"soft": probabilities}:
            answer.soft.probabilities.extend(probabilities)
        case int():
            answer.label = vote
        case _:
            raise ValueError(f'answers: "{text}" stands for {vote!r}, which is no vote')
    return answer


def _shortlist(declared: dict[str, Any]) -> prompts_pb2.PromptShortlist:
    message = prompts_pb2.PromptShortlist(
        size=declared.pop("n", 0),
        field=declared.pop("field", ""),
        candidates=declared.pop("candidates", None) or "",
        pick=declared.pop("pick", 0),
        descriptions=declared.pop("descriptions", {}),
    )
    if "none" in declared:
        message.none = declared.pop("none") or ""
    if declared:
        raise ValueError(f'shortlist: there is no attribute "{min(map(str, declared))}"')
    return message

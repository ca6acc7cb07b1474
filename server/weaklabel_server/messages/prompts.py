"""Prompts: declarations for weaklabel.prompts.PromptFunction.from_dict; plans, runs and spending as messages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict, SerializeToJsonError

from weaklabel_protocol.v1 import prompts_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import check_names, side_data_id
from weaklabel_server.messages.resources import timestamp
from weaklabel_server.prompt_settings import BudgetTable
from weaklabel_server.store.operations import PromptSettings
from weaklabel_server.store.projects import Project
from weaklabel_server.store.prompts import PromptRun, Spending

if TYPE_CHECKING:
    from weaklabel.prompts import Plan

MAX_PROMPTS = 100
MAX_PARAMETER_BYTES = 65_536

_VOTES = {prompts_pb2.PROMPT_VOTES_ANSWER: "answer", prompts_pb2.PROMPT_VOTES_LOGPROBS: "logprobs"}


def read_settings(parent: str, declared: Sequence[prompts_pb2.Prompt], items: str) -> tuple[str, PromptSettings]:
    """The project and the settings of a plan or a run, checked to the extent that it takes no store.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    project_id = names.parse_project(parent, field="parent")
    item_data = side_data_id(items, project_id, field="items")
    if not declared:
        raise invalid("prompts", "at least one prompt")
    check_names([one.name for one in declared], field="prompts", what="prompts", limit=MAX_PROMPTS)
    read = tuple(read_prompt(one, field=f"prompts[{at}]") for at, one in enumerate(declared))
    return project_id, PromptSettings(read, item_data)


def read_prompt(message: prompts_pb2.Prompt, *, field: str) -> dict[str, Any]:
    """The declaration; what is not set is left out, so that it has the library's defaults.

    Raises:
        ServiceError: INVALID_FIELD for what has no place in a declaration; the rest is for PromptFunction to check.
    """
    read: dict[str, Any] = {
        "name": message.name,
        "model": message.model,
        "template": message.template,
        "answers": _answers(message, field=f"{field}.answers"),
    }
    for name in ("endpoint", "family", "instructions", "samples", "max_tokens", "calibrate"):
        if value := getattr(message, name):
            read[name] = value
    for name in ("temperature", "structured", "show_answers"):
        if message.HasField(name):
            read[name] = getattr(message, name)
    if message.votes:
        if message.votes not in _VOTES:
            raise invalid(f"{field}.votes", f"PROMPT_VOTES_ANSWER or PROMPT_VOTES_LOGPROBS, got {message.votes}")
        read["votes"] = _VOTES[message.votes]
    if message.HasField("parameters"):
        read["parameters"] = _parameters(message, field=f"{field}.parameters")
    if message.examples:
        read["examples"] = [{"fields": dict(one.fields), "answer": one.answer} for one in message.examples]
    if message.example_count:
        read["n_examples"] = message.example_count
    if message.HasField("shortlist"):
        read["shortlist"] = _shortlist(message.shortlist)
    return read


def _answers(message: prompts_pb2.Prompt, *, field: str) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for at, one in enumerate(message.answers):
        if one.text in answers:
            raise invalid(f"{field}[{at}].text", f'"{one.text}" is an answer already')
        match one.WhichOneof("vote"):
            case "label":
                answers[one.text] = one.label
            case "one_of":
                answers[one.text] = {"one_of": list(one.one_of.indices)}
            case "none_of":
                answers[one.text] = {"not": list(one.none_of.indices)}
            case "soft":
                answers[one.text] = {"soft": list(one.soft.probabilities)}
            case _:
                raise invalid(f"{field}[{at}].vote", "one of label, one_of, none_of and soft must be set")
    return answers


def _shortlist(message: prompts_pb2.PromptShortlist) -> dict[str, Any]:
    read: dict[str, Any] = {"descriptions": dict(message.descriptions)}
    if message.size:
        read["n"] = message.size
    for name in ("field", "candidates", "pick"):
        if value := getattr(message, name):
            read[name] = value
    if message.HasField("none"):
        read["none"] = message.none or None
    return read


def _parameters(message: prompts_pb2.Prompt, *, field: str) -> Any:
    size = message.parameters.ByteSize()
    if size > MAX_PARAMETER_BYTES:
        raise invalid(field, f"at most {MAX_PARAMETER_BYTES} bytes, got {size}")
    try:
        return _whole(MessageToDict(message.parameters))
    except (SerializeToJsonError, ValueError) as error:
        raise invalid(field, f"JSON is expected, which has neither infinite numbers nor NaN: {error}") from None


def _whole(value: Any) -> Any:
    """A JSON value with whole numbers as such, and keys in order: a Struct knows neither."""
    if isinstance(value, dict):
        return {key: _whole(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plan_messages(plan: "Plan") -> list[prompts_pb2.PromptPlan]:
    """A plan as messages, one for each prompt."""
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


def spending_message(spending: Spending, budget: BudgetTable | None = None) -> prompts_pb2.PromptSpending:
    """What was spent, and may be, as a message."""
    return prompts_pb2.PromptSpending(
        money=spending.money,
        tokens=spending.tokens,
        unconfirmed_money=spending.unconfirmed_money,
        unconfirmed_tokens=spending.unconfirmed_tokens,
        budget_money=None if budget is None else budget.money,
        budget_tokens=None if budget is None else budget.tokens,
    )


def run_message(project: Project, run: PromptRun) -> prompts_pb2.PromptRun:
    """A run as a message, without its failures."""
    return prompts_pb2.PromptRun(
        name=names.format_prompt_run(project.project_id, run.run_id),
        operation=names.format_operation(project.project_id, run.run_id),
        items=names.format_side_data(project.project_id, run.side_data_id),
        votes_version=run.votes_version,
        prompts=[prompts_pb2.PromptSummary(**one) for one in run.summaries],
        spending=spending_message(run.spending),
        budget_reached=run.budget_reached,
        create_time=timestamp(run.create_time),
    )

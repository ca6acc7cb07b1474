"""Declarations of prompts: from the contract's message to what weaklabel.prompts.PromptFunction.from_dict reads."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from weaklabel_protocol.v1 import prompts_pb2
from weaklabel_server.errors import invalid

_VOTES = {prompts_pb2.PROMPT_VOTES_ANSWER: "answer", prompts_pb2.PROMPT_VOTES_LOGPROBS: "logprobs"}


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
    for name in ("temperature", "structured"):
        if message.HasField(name):
            read[name] = getattr(message, name)
    if message.votes:
        if message.votes not in _VOTES:
            raise invalid(f"{field}.votes", f"PROMPT_VOTES_ANSWER or PROMPT_VOTES_LOGPROBS, got {message.votes}")
        read["votes"] = _VOTES[message.votes]
    if message.HasField("parameters"):
        read["parameters"] = _whole(MessageToDict(message.parameters))
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


def _whole(value: Any) -> Any:
    """A JSON value with whole numbers as such, and keys in order: a Struct knows neither."""
    if isinstance(value, dict):
        return {key: _whole(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

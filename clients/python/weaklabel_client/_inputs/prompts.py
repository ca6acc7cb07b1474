"""Declarations of prompts as messages."""

from collections.abc import Iterable, Mapping
from typing import Any

from weaklabel_protocol.v1 import prompts_pb2
from weaklabel_protocol.vote_objects import CandidateSet, Complement, SoftVote

_PLAIN = (
    *("name", "model", "template", "endpoint", "samples", "temperature", "max_tokens", "structured", "calibrate"),
    "show_answers",
)
_OPTIONAL = ("family", "instructions")
_VOTES = {"answer": prompts_pb2.PROMPT_VOTES_ANSWER, "logprobs": prompts_pb2.PROMPT_VOTES_LOGPROBS}


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
    if declared.get("parse") is not None:
        raise ValueError("parse: the server reads replies in the usual ways only; run the prompt by weaklabel.prompts")
    declared.pop("parse", None)
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
        case Mapping():
            raise ValueError(
                f'answers: "{text}" is a field with answers of its own; the server asks for one answer, so declare a '
                "prompt for each field, or run it by weaklabel.prompts"
            )
        case _:
            raise ValueError(f'answers: "{text}" stands for {vote!r}, which is not a vote')
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

"""Answers of several fields, one call for all of them: a pydantic model, or the answers by field."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Literal, get_origin

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.answer_map import AnswerMap, Vote, vote_as_json

BOOLEANS = {"false": 0, "true": 1}
"""The answers of a field that is true or false, and their classes."""
_VOTE_FORMS = {"one_of", "not", "soft"}  # of a vote in JSON

Answers = Mapping[str, Vote] | Mapping[str, Mapping[str, Vote]]
"""Votes by answer; or by field and answer."""


def read_answers(answers: Any) -> Answers:
    """The answers as plain data, one map of them or one for each field.

    Args:
        answers: what `AnswerMap` takes; or a pydantic model with fields of type Literal, Enum or bool; or a mapping
            of such types and answer maps by field.

    Raises:
        InvalidArgumentError: names the field, and what it may be instead.
    """
    by_field = _by_field(answers)
    if by_field is None:
        return AnswerMap(answers).votes
    if not by_field:
        raise InvalidArgumentError(f"answers: {answers!r} has no fields", field="answers")
    read: dict[str, Mapping[str, Vote]] = {}
    seen: dict[str, str] = {}
    for field, kind in by_field.items():
        if not isinstance(field, str) or not field.strip():
            raise InvalidArgumentError(f"answers: {field!r} is not the name of a field", field="answers")
        if (other := seen.setdefault(field.strip().casefold(), field)) != field:
            raise InvalidArgumentError(f"answers: {other!r} and {field!r} differ in case only", field="answers")
        if not (kind is bool or _is_map_or_type(kind)):
            raise InvalidArgumentError(
                f"answers: the field {field!r} is of {kind!r}; expected a Literal of texts, an Enum or bool (an Enum "
                "of whole numbers names the votes: -1 is an abstain)",
                field="answers",
            )
        try:
            read[field] = AnswerMap(BOOLEANS if kind is bool else kind).votes
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"answers: the field {field!r}: {error}", field="answers") from None
    return read


def descriptions_of(answers: Any) -> dict[str, str]:
    """What the fields of a pydantic model say that they mean, by field."""
    fields = getattr(answers, "model_fields", None) if isinstance(answers, type) else None
    found = {name: getattr(one, "description", None) for name, one in (fields or {}).items()}
    return {name: " ".join(text.split()) for name, text in found.items() if isinstance(text, str) and text.strip()}


def several_fields(answers: Answers) -> Mapping[str, Mapping[str, Vote]]:
    """The answers by field; empty where they are one map."""
    return {field: votes for field, votes in answers.items() if isinstance(votes, Mapping)}


def check_answer(answer: Any, answers: Answers) -> bool:
    """Whether this is an answer: a text; of several fields, one to each of them."""
    fields = several_fields(answers)
    if not fields:
        return isinstance(answer, str) and answer in answers
    return (
        isinstance(answer, Mapping)
        and set(answer) == set(fields)
        and all(isinstance(one, str) and one in fields[field] for field, one in answer.items())
    )


def answers_as_json(answers: Answers) -> dict[str, Any]:
    """The JSON form of answers; `read_answers` reads it."""
    return {
        text: answers_as_json(vote) if isinstance(vote, Mapping) else vote_as_json(vote)
        for text, vote in answers.items()
    }


def _by_field(answers: Any) -> Mapping[Any, Any] | None:
    """The types or answer maps by field; None where there is one map for all."""
    if isinstance(answers, type) and isinstance(fields := getattr(answers, "model_fields", None), Mapping):
        return {name: one.annotation for name, one in fields.items()}
    if isinstance(answers, Mapping) and any(one is bool or _is_map_or_type(one) for one in answers.values()):
        return answers
    return None


def _is_map_or_type(value: Any) -> bool:
    if isinstance(value, Mapping):  # a vote in JSON holds a list
        return not (set(value) <= _VOTE_FORMS and [isinstance(one, list | tuple) for one in value.values()] == [True])
    return get_origin(value) is Literal or (isinstance(value, type) and issubclass(value, enum.Enum))

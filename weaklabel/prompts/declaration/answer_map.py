"""The answer map of a prompt: which texts count as answers, and which vote each of them is."""

from __future__ import annotations

import enum
import operator
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.symbols import CandidateSet, Complement, ImpreciseVote, SoftVote, not_, one_of, soft
from weaklabel.votes.validation import ABSTAIN

_NUMBER = re.compile(r"(?<!\w)[-\u2212+]\d|\d[.,]\d")
_FRAME = " .,;:!*_`\"'()[]"  # what may stand around a number

Vote = int | ImpreciseVote
"""What an answer may stand for: a class index, ABSTAIN, a candidate set, "not k", or a soft vote."""


class AnswerMap:
    """Answers and their votes. A text is an answer if it equals it up to case, white space and punctuation.

    Where two answers differ in nothing else ("C" and "C++"), these two must match exactly up to case.

    Attributes:
        votes: the vote of each answer, in the order given.

    Raises:
        InvalidArgumentError: for no answers, answers that are blank or repeat, and values that are not votes.
    """

    def __init__(self, answers: Any) -> None:
        answers = answers_of_type(answers)
        if not isinstance(answers, Mapping) or not answers:
            raise InvalidArgumentError(
                'answers must map texts to votes, as in {"yes": 1, "no": ABSTAIN}, or be a Literal of texts or an Enum',
                field="answers",
            )
        self.votes: dict[str, Vote] = {}
        self._exact: dict[str, str] = {}
        loose: dict[str, list[str]] = {}
        for text, vote in answers.items():
            if not isinstance(text, str) or not text.strip():
                raise InvalidArgumentError(f"answers: {text!r} is not a text", field="answers")
            exact = _exact(text)
            if exact in self._exact:
                raise InvalidArgumentError(
                    f"answers: {self._exact[exact]!r} and {text!r} are one answer: they differ in case or space only",
                    field="answers",
                )
            self.votes[text] = as_vote(vote, f"answers: {text!r}")
            self._exact[exact] = text
            if not _NUMBER.search(exact):
                loose.setdefault(_loose(text), []).append(text)
        self._loose = {key: texts[0] for key, texts in loose.items() if key and len(texts) == 1}

    def match(self, text: str) -> str | None:
        """The answer that a text is, or None: nothing is searched for inside of the text."""
        exact = _exact(text)
        if exact in self._exact or _NUMBER.search(exact):  # its sign and point are more than punctuation
            return self._exact.get(exact) or self._exact.get(exact.strip(_FRAME))
        return self._loose.get(_loose(text))


def answers_of_type(answers: Any) -> Any:
    """The answers that a type names: texts of a Literal, and of an Enum, are the classes 0, 1, ... in their order.

    The members of an Enum of whole numbers are answers by their names, and stand for their numbers. Anything else comes
    back as it is.
    """
    if get_origin(answers) is Literal:
        return {text: k for k, text in enumerate(get_args(answers))}
    if not (isinstance(answers, type) and issubclass(answers, enum.Enum)):
        return answers
    members = answers.__members__  # those with the value of an earlier one among them: two answers may be one vote
    if all(isinstance(one.value, int) and not isinstance(one.value, bool) for one in members.values()):
        return {name: one.value for name, one in members.items()}
    return {one.value: k for k, one in enumerate(answers)}


def _exact(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _loose(text: str) -> str:
    """Case, white space and punctuation taken away."""
    plain = _exact(text)
    return " ".join("".join(" " if unicodedata.category(c)[0] == "P" or c == "`" else c for c in plain).split())


def as_vote(value: Any, place: str) -> Vote:
    """A vote as it is, or read from its JSON form.

    Raises:
        InvalidArgumentError: if it is not a vote; `place` starts the message.
    """
    if isinstance(value, CandidateSet | Complement | SoftVote):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, content),) = value.items()
        try:
            if kind == "one_of":
                return one_of(*content)
            if kind == "not":
                return not_(*content)
            if kind == "soft":
                return soft(content)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"{place}: {error}", field="answers") from None
    try:
        code = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        code = None
    if code is None or code < ABSTAIN:
        raise InvalidArgumentError(
            f"{place} stands for {value!r}; expected a class index, ABSTAIN, one_of(...), not_(...) or soft(...)",
            field="answers",
        )
    return code


def vote_as_json(vote: Vote) -> Any:
    """The JSON form of a vote; `as_vote` reads it."""
    if isinstance(vote, CandidateSet):
        return {"one_of": list(vote.classes)}
    if isinstance(vote, Complement):
        return {"not": list(vote.classes)}
    if isinstance(vote, SoftVote):
        return {"soft": list(vote.probabilities)}
    return vote

"""A prompt as a labeling function: declared, not coded, and plain data throughout."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.answer_fields import (
    answers_as_json,
    check_answer,
    descriptions_of,
    read_answers,
    several_fields,
)
from weaklabel.prompts.declaration.answer_map import AnswerMap, Vote
from weaklabel.prompts.declaration.checks import (
    as_parse,
    check_choice,
    check_example_fields,
    check_list,
    check_names,
    check_prompt,
    check_whole,
    from_json,
)
from weaklabel.prompts.declaration.prompt import family_of
from weaklabel.prompts.declaration.shown import Example, Shortlist
from weaklabel.prompts.declaration.template import Template
from weaklabel.votes.codebook import least_classes

_MOST_SAMPLES = 100

Parse = str | re.Pattern[str] | Callable[[str], "str | Sequence[str] | None"]
"""How replies are read: a regular expression, of which the group is the answer, or a function of the text."""


@dataclass(frozen=True)
class PromptFunction:
    """A prompt that votes on items. Goes wherever a labeling function goes: `apply([contains_link, spam], data)`.

    Attributes:
        name: distinct among the sources of a run.
        template: the question, with {field} for a cell of the item; braces of the text itself are written twice. The
            item's text is put between marks, and nothing in it is evaluated.
        answers: what each answer stands for: a class index, ABSTAIN, `one_of(...)`, `not_(...)` or `soft(...)`. Any
            other reply is an error, never a guess. A Literal of texts or an Enum of texts stands for the classes
            0, 1, ... in its order, an Enum of whole numbers for these. A pydantic model with fields of these types, or
            bool (classes 0 and 1), or a mapping of such types or answers by field, is asked for in one call, and
            makes one source for each field, "name.field".
        model: the model's name at the endpoint.
        endpoint: the name of one of the engine's endpoints; never a URL.
        family: prompts of one family err together: a dependence group. The model's name without its size and date
            where not given.
        votes: "answer" makes the vote that the answer stands for. "logprobs" makes a soft vote of the probabilities of
            the answers where the endpoint returns them.
        samples: the number of calls per item. Several make a soft vote of the frequencies of the answers.
        temperature: where not given, 0 for a single sample, and the endpoint's own default for several.
        max_tokens: the longest reply, in tokens. Reasoning counts too where a model reasons.
        parameters: further fields of the request, as {"reasoning_effort": "minimal"}.
        structured: ask for a JSON reply constrained to the answers; an endpoint that refuses is asked for plain text.
        calibrate: divide the probabilities of the answers by those that the same prompt gives to inputs without
            content, "N/A", "[MASK]" and "" (Zhao et al. 2021, arXiv:2102.09690). Needs votes="logprobs".
        examples: solved items. `with_examples` makes them out of items with gold labels.
        n_examples: the number of them shown with each item: those most alike to it by BM25, the item itself left out.
        shortlist: which answers are shown with each item, where there are too many for all.
        instructions: the start of the system message, before the list of answers; a default where None.
        parse: how the answer is found in a reply, where the usual ways do not read it: a regular expression, of which
            the group (or the whole, where there is none) is the answer, and which must find only one; or a function of
            the reply's text, without reasoning, that returns an answer, several for `pick`, or None. It is no part of
            the request: with another one, cached replies are read again, and nothing is sent.
        show_answers: list the answers in the system message. False where template or instructions tell by themselves
            how to answer: the request then does not depend on the answers, and cached replies are read again when
            they change. Needs structured=False and no shortlist.
        descriptions: what fields of the answers mean, by field; those of a pydantic model where not given.

    Raises:
        InvalidArgumentError: for anything that cannot be run; `field` names the attribute.

    Examples:
        >>> spam = PromptFunction(
        ...     name="asks_for_action",
        ...     model="gpt-5-mini",
        ...     template="Does this comment ask the reader to click, buy or subscribe? {text}",
        ...     answers={"yes": 1, "no": ABSTAIN, "unsure": ABSTAIN, "clearly not spam": 0},
        ...     votes="logprobs",
        ... )
    """

    name: str
    template: str
    answers: Any  # what `read_answers` takes, and afterwards what it returns
    model: str
    endpoint: str = "default"
    family: str | None = None
    votes: Literal["answer", "logprobs"] = "answer"
    samples: int = 1
    temperature: float | None = None
    max_tokens: int = 1024
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    structured: bool = True
    calibrate: bool = False
    examples: Sequence[Example] = ()
    n_examples: int = 0
    shortlist: Shortlist | None = None
    instructions: str | None = None
    parse: Parse | None = None
    show_answers: bool = True
    descriptions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "descriptions", descriptions_of(self.answers) | dict(self.descriptions))
        object.__setattr__(self, "answers", read_answers(self.answers))
        object.__setattr__(self, "examples", tuple(self.examples))
        template = check_prompt(self)
        check_choice(self.votes, ("answer", "logprobs"), "votes")
        check_whole(self.samples, 1, _MOST_SAMPLES, "samples")
        if self.temperature == 0 and self.samples > 1:
            raise InvalidArgumentError(
                "several samples at temperature 0 are one sample, paid for often", field="temperature"
            )
        if self.calibrate and self.votes != "logprobs":
            raise InvalidArgumentError('calibrate needs votes="logprobs"', field="calibrate")
        object.__setattr__(self, "parse", as_parse(self.parse))
        if not self.show_answers and (self.structured or self.shortlist is not None):
            raise InvalidArgumentError(
                "show_answers=False needs structured=False and no shortlist, which send the answers",
                field="show_answers",
            )
        self._check_fields()
        self._check_examples(template)
        self._check_shortlist()

    def _check_fields(self) -> None:
        unknown = [field for field in self.descriptions if field not in self.fields]
        if unknown:
            raise InvalidArgumentError(f"descriptions: {unknown[0]!r} is no field of the answers", field="descriptions")
        if not self.fields:
            return
        if self.shortlist is not None:
            raise InvalidArgumentError("a shortlist goes with answers of one field", field="shortlist")
        if self.parse is not None and not callable(self.parse):
            raise InvalidArgumentError(
                "parse: for answers of several fields, a function of the reply's text that returns answers by field",
                field="parse",
            )

    def _check_examples(self, template: Template) -> None:
        for at, example in enumerate(self.examples):
            if not check_answer(example.answer, self.answers):
                raise InvalidArgumentError(
                    f"examples: the answer {example.answer!r} of example {at} is none of the prompt's", field="examples"
                )
            check_example_fields(example.fields, at, template)

    def _check_shortlist(self) -> None:
        shortlist = self.shortlist
        if shortlist is None:
            return
        check_whole(shortlist.n, 1, 1000, "shortlist")
        check_whole(shortlist.pick, 1, shortlist.n, "shortlist")
        if not any(isinstance(vote, int) and vote >= 0 for vote in self.answers.values()):
            raise InvalidArgumentError("shortlist: no answer stands for a class", field="shortlist")
        if shortlist.none is not None and not shortlist.none.strip():
            raise InvalidArgumentError("shortlist: none must be a text, or None", field="shortlist")
        if shortlist.none is not None and AnswerMap(self.answers).match(shortlist.none) is not None:
            raise InvalidArgumentError(
                f"shortlist: {shortlist.none!r} is an answer already; none= names one of its own", field="shortlist"
            )
        unknown = [text for text in shortlist.descriptions if text not in self.answers]
        if unknown:
            raise InvalidArgumentError(f"shortlist: {unknown[0]!r} is described, but is no answer", field="shortlist")
        if shortlist.pick > 1 and (self.votes == "logprobs" or self.samples > 1):
            raise InvalidArgumentError("pick above 1 goes with one sample and votes='answer'", field="shortlist")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the answers; empty where these are one map."""
        return tuple(several_fields(self.answers))

    @property
    def source_names(self) -> tuple[str, ...]:
        """The sources that it makes: one, or one for each field."""
        return tuple(f"{self.name}.{field}" for field in self.fields) or (self.name,)

    @property
    def group(self) -> str:
        """The dependence group: prompts of one model family err together."""
        return self.family or family_of(self.model)

    @property
    def least_classes(self) -> int:
        """The fewest classes over which the answers make sense."""
        maps: Iterable[Mapping[str, Vote]] = several_fields(self.answers).values() or [self.answers]
        votes = [vote for answers in maps for vote in answers.values()]
        return max(2, *(vote + 1 if isinstance(vote, int) else least_classes(vote) for vote in votes))

    def to_dict(self) -> dict[str, Any]:
        """The declaration as JSON values; what stands at its default is left out.

        Raises:
            InvalidArgumentError: if `parse` is a function.
        """
        if callable(self.parse):
            raise InvalidArgumentError(
                "parse: a function cannot be written as JSON; a regular expression can", field="parse"
            )
        values: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            default = one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default
            if value != default:
                values[one.name] = value
        values["answers"] = answers_as_json(self.answers)
        values["parameters"] = dict(self.parameters)
        values["examples"] = [
            {"fields": dict(one.fields), "answer": one.answer if isinstance(one.answer, str) else dict(one.answer)}
            for one in self.examples
        ]
        if self.shortlist is not None:
            values["shortlist"] = dataclasses.asdict(self.shortlist)
        return {name: value for name, value in values.items() if value not in ({}, [])}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The declaration out of `to_dict`.

        Raises:
            InvalidArgumentError: for attributes that are unknown, missing or not acceptable.
        """
        attributes = dict(values)
        check_names(attributes, cls, "")
        if "examples" in attributes:
            attributes["examples"] = [
                from_json(Example, one, "examples") for one in check_list(attributes["examples"], "examples")
            ]
        if attributes.get("shortlist") is not None:
            attributes["shortlist"] = from_json(Shortlist, attributes["shortlist"], "shortlist")
        try:
            return cls(**attributes)
        except TypeError as error:
            raise InvalidArgumentError(f"a prompt cannot be made of this: {error}") from None

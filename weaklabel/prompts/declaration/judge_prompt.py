"""A prompt that judges which of two is better: declared, and plain data throughout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.prompt_function import Parse, PromptFunction
from weaklabel.prompts.declaration.shown import Example
from weaklabel.prompts.declaration.template import Template

FIRST, SECOND = "first", "second"
"""Fields of the template: the texts in the order in which they are shown."""


@dataclass(frozen=True)
class JudgePrompt:
    r"""A prompt that says which of two is better. `run` asks it about each pair in both orders.

    What comes is what `PreferenceModel.fit` takes: with both orders of each pair, a judge who leans to what is shown
    first is told from one who prefers a side.

    Attributes:
        name: of the judge, distinct among those of a run.
        template: the question, with {first} and {second} for the two texts, and other {fields} of the pair.
        model: the model's name at the endpoint.
        choices: the answers for the first and the second, as the template calls them.
        tie: the answer for neither; None where the judge has to choose.
        endpoint: as of `PromptFunction`, as is what follows. The answer of an example is one of these three.
        family: as of `PromptFunction`.
        temperature: as of `PromptFunction`.
        max_tokens: as of `PromptFunction`.
        parameters: as of `PromptFunction`.
        structured: as of `PromptFunction`.
        examples: as of `PromptFunction`.
        n_examples: as of `PromptFunction`.
        instructions: as of `PromptFunction`.
        parse: as of `PromptFunction`.
        show_answers: as of `PromptFunction`.

    Raises:
        InvalidArgumentError: for anything that cannot be run; `field` names the attribute.

    Examples:
        >>> judge = JudgePrompt(
        ...     name="mini",
        ...     model="gpt-5-mini",
        ...     template="Which answer to {question} is better?\n\nA: {first}\n\nB: {second}",
        ...     choices=("A", "B"),
        ... )
    """

    name: str
    template: str
    model: str
    choices: tuple[str, str] = (FIRST, SECOND)
    tie: str | None = "tie"
    endpoint: str = "default"
    family: str | None = None
    temperature: float | None = None
    max_tokens: int = 1024
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    structured: bool = True
    examples: Sequence[Example] = ()
    n_examples: int = 0
    instructions: str | None = None
    parse: Parse | None = None
    show_answers: bool = True

    def __post_init__(self) -> None:
        choices = () if isinstance(self.choices, str) else tuple(self.choices)
        if len(choices) != 2 or len({*choices, self.tie}) < 3:
            raise InvalidArgumentError(
                f"choices must be two answers, other than that of a tie, got {self.choices!r}", field="choices"
            )
        object.__setattr__(self, "choices", choices)
        function = self.as_function()  # and checked with it
        missing = [name for name in (FIRST, SECOND) if name not in Template(function.template).fields]
        if missing:
            raise InvalidArgumentError(
                f"the template has no {{{missing[0]}}}: {{first}} and {{second}} are the two texts", field="template"
            )

    @property
    def group(self) -> str:
        """The dependence group: judges of one model family err together."""
        return self.as_function().group

    def as_function(self) -> PromptFunction:
        """The prompt for one order: class 0 is the first, 1 the second, 2 a tie."""
        answers = [*self.choices, *([] if self.tie is None else [self.tie])]
        shared = {
            one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name not in ("choices", "tie")
        }
        return PromptFunction(**shared, answers={text: code for code, text in enumerate(answers)})

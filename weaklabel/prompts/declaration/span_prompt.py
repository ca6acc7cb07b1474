"""A prompt that finds spans in a text: declared, and plain data throughout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.declaration.checks import check_choice, check_example_fields, check_prompt
from weaklabel.prompts.declaration.prompt import family_of


@dataclass(frozen=True)
class SpanExample:
    """A solved text to show the model.

    Attributes:
        fields: the texts of the template's fields.
        spans: (start, end, type) of all spans in characters of the text that is searched, end exclusive.
    """

    fields: Mapping[str, str]
    spans: Sequence[tuple[int, int, str]]


@dataclass(frozen=True)
class SpanPrompt:
    """A prompt that finds the spans of some types in a text. `run` takes it, and `apply_spans` among functions.

    The model is asked for JSON: each span's text as it stands in the document, its type, and which of several places it
    is. A quote counts only where it stands in the text, up to white space: at borders of words, if it stands at any.
    What does not is left out and counted; a reply of which all is left out is an error.

    Attributes:
        name: distinct among the sources of a run.
        template: the question, with {field} for a cell of the item, one of them the text that is searched.
        types: of the spans; a mapping tells the model what each of them means.
        model: the model's name at the endpoint.
        endpoint: the name of one of the engine's endpoints; never a URL.
        family: prompts of one family err together. The model's name without its size and date where not given.
        text_field: the field of the template whose text is searched.
        repeats: what is marked of a text that stands in several places. "numbered" asks which of them it is, and leaves
            out a span where the reply does not say. "all" marks them all.
        temperature: 0 where not given.
        max_tokens: the longest reply, reasoning included.
        parameters: more fields of the request.
        structured: ask for a reply that is constrained to the schema.
        examples: solved texts.
        n_examples: how many of them the model sees with each item, those most alike.
        instructions: the start of the system message, instead of the usual one.

    Raises:
        InvalidArgumentError: for anything that cannot be run; `field` names the attribute.

    Examples:
        >>> drugs = SpanPrompt(
        ...     name="drugs",
        ...     model="gpt-5-mini",
        ...     template="Find the drugs and diseases in this abstract: {text}",
        ...     types={"Chemical": "a drug or another substance", "Disease": "a disease or symptom"},
        ... )
    """

    name: str
    template: str
    types: Any  # names, or their meanings by name; afterwards the latter
    model: str
    endpoint: str = "default"
    family: str | None = None
    text_field: str = "text"
    repeats: Literal["numbered", "all"] = "numbered"
    temperature: float | None = None
    max_tokens: int = 4096
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    structured: bool = True
    examples: Sequence[SpanExample] = ()
    n_examples: int = 0
    instructions: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.types, str) or not isinstance(self.types, Mapping | Sequence):
            raise InvalidArgumentError(f"types must be names, or meanings by name, got {self.types!r}", field="types")
        types = dict(self.types) if isinstance(self.types, Mapping) else dict.fromkeys(self.types, "")
        if len(types) < len(self.types) or not types or not all(isinstance(one, str) for one in types.values()):
            raise InvalidArgumentError(
                f"types must be distinct names, or texts by name, got {self.types!r}", field="types"
            )
        try:
            AnswerMap(dict.fromkeys(types, 0))
        except InvalidArgumentError as error:
            raise InvalidArgumentError(str(error).replace("answers:", "types:"), field="types") from None
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "examples", tuple(self.examples))
        template = check_prompt(self)
        if self.text_field not in template.fields:
            raise InvalidArgumentError(
                f"the template has no field {{{self.text_field}}}, whose text would be searched; it has "
                f"{', '.join(template.fields)}",
                field="text_field",
            )
        check_choice(self.repeats, ("numbered", "all"), "repeats")
        for at, example in enumerate(self.examples):
            check_example_fields(example.fields, at, template)
            text = example.fields[self.text_field]
            for span in example.spans:
                if not _is_span(span, text, types):
                    raise InvalidArgumentError(
                        f"examples: {span!r} of example {at} is no (start, end, type) in its {len(text)} characters",
                        field="examples",
                    )

    @property
    def samples(self) -> int:
        """Calls per item: one."""
        return 1

    @property
    def span_types(self) -> tuple[str, ...]:
        """The types of its spans."""
        return tuple(self.types)

    @property
    def source_names(self) -> tuple[str, ...]:
        """The source that it makes."""
        return (self.name,)

    @property
    def group(self) -> str:
        """The dependence group: prompts of one model family err together."""
        return self.family or family_of(self.model)


def _is_span(span: Any, text: str, types: Mapping[str, str]) -> bool:
    if not isinstance(span, tuple | list) or len(span) != 3:
        return False
    start, end, kind = span
    return isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text) and kind in types

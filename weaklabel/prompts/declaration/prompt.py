"""What every prompt has, whatever its replies are read as."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_SIZE_SUFFIX = re.compile(
    r"[:@].*$|-\d{4}-?\d{2}-?\d{2}$|[-_](?:\d+(?:\.\d+)?[bm]|mini|nano|small|medium|large|latest)\b.*$", re.IGNORECASE
)


class Prompt(Protocol):
    """A prompt as the machinery knows it; the attributes are those of `PromptFunction`."""

    @property
    def name(self) -> str:
        """Distinct among the sources of a run."""
        ...

    @property
    def template(self) -> str:
        """The question, with {field} for a cell of the item."""
        ...

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        ...

    @property
    def endpoint(self) -> str:
        """The name of one of the engine's endpoints."""
        ...

    @property
    def samples(self) -> int:
        """Calls per item."""
        ...

    @property
    def temperature(self) -> float | None:
        """None for the default."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest reply."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """More fields of the request."""
        ...

    @property
    def structured(self) -> bool:
        """Whether the request holds the form of the reply."""
        ...

    @property
    def examples(self) -> Sequence[Any]:
        """Solved items, with `fields`."""
        ...

    @property
    def n_examples(self) -> int:
        """How many of them are shown."""
        ...

    @property
    def instructions(self) -> str | None:
        """The start of the system message; None for the usual one."""
        ...

    @property
    def source_names(self) -> tuple[str, ...]:
        """The sources that it makes."""
        ...

    @property
    def group(self) -> str:
        """The dependence group."""
        ...


def family_of(model: str) -> str:
    """A model's name without its size and date: models of one family err together."""
    return _SIZE_SUFFIX.sub("", model) or model

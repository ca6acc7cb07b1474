"""Settings of prompts: which endpoints, models and prices there are, and what each project may spend. A TOML file.

Keys are not in it: it names the environment variables that hold them.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class PromptSettingsError(Exception):
    """The file cannot be used; the message says where and why."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EndpointTable(_Table):
    """[endpoints.NAME]: an endpoint that speaks the OpenAI protocol. A prompt that names none means "default"."""

    base_url: str | None = None
    """As "http://localhost:11434/v1"; OPENAI_BASE_URL of the environment where not given, else OpenAI's."""
    key_variable: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key."""
    concurrency: int = Field(default=64, ge=1)
    """Calls in flight."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for one attempt."""
    max_retries: int = Field(default=6, ge=0)
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    azure_api_version: str | None = None
    api: Literal["chat", "responses"] = "chat"
    """The Responses API, or chat completions."""
    models: tuple[str, ...] | None = None
    """The models that prompts may name; all of them where not given."""
    parameters: tuple[str, ...] = ()
    """The further fields of the request that prompts may set, as "reasoning_effort"."""


class BudgetTable(_Table):
    """[budget] and [budgets.PROJECT]: what all runs of a project may spend together; unlimited where not given."""

    money: float | None = Field(default=None, ge=0)
    """USD."""
    tokens: float | None = Field(default=None, ge=0)


class PriceTable(_Table):
    """[prices.MODEL]: USD for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class PromptFile(_Table):
    """The whole file."""

    endpoints: dict[str, EndpointTable] = Field(min_length=1)
    budget: BudgetTable
    """Of each project that has none of its own. It is required; an empty table sets no limit."""
    budgets: dict[str, BudgetTable] = Field(default_factory=dict)
    prices: dict[str, PriceTable] = Field(default_factory=dict)
    """They go before the published ones."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file.

        Raises:
            PromptSettingsError: It cannot be read, or holds a setting that is unknown or out of range.
        """
        try:
            content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls.model_validate(content)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PromptSettingsError(f"{path}: {error}") from None
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise PromptSettingsError(f"{path}: {'; '.join(faults)}") from None

    def budget_of(self, project_id: str) -> BudgetTable:
        """What a project may spend."""
        return self.budgets.get(project_id, self.budget)

"""What runs prompts, as settings: endpoints, cache, prices, limits."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.failures import Failure, warn_of_failures
from weaklabel.labeling.sources import default_engine
from weaklabel.prompts.budget import Budget
from weaklabel.prompts.cache import ResponseCache, default_path
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.span_prompt import SpanPrompt
from weaklabel.prompts.http.endpoint import Endpoint
from weaklabel.prompts.pricing import PriceTable
from weaklabel.prompts.requests.item_fields import check_fields
from weaklabel.prompts.runner.batch_options import BatchOptions
from weaklabel.prompts.runner.event_loop import run_to_end
from weaklabel.prompts.runner.outcome import Outcome, StoppedEarlyWarning, build_outcome
from weaklabel.prompts.runner.prepared_prompt import PreparedFunction, PreparedPrompt, prepare
from weaklabel.prompts.runner.progress import ProgressCallback, progress_callback
from weaklabel.prompts.runner.span_outcome import SpanOutcome, Spans, build_span_outcome
from weaklabel.prompts.runner.state import RunResult, RunState, Stopped
from weaklabel.votes import Votes

if TYPE_CHECKING:
    from weaklabel.prompts.runner.batches import BatchRunner
    from weaklabel.prompts.runner.calls import CallRunner

_CLIENT = ("httpcore2", "httpx2", "openai")
"""What sends calls; the extra `prompts` installs it."""


def require_packages() -> None:
    """Checks that what sends calls is installed.

    Raises:
        MissingExtraError: if not.
    """
    for module in _CLIENT:
        require(module, extra="prompts", needed_for="calls of prompts")


@dataclass(frozen=True)
class PromptEngine:
    """Settings of a run of prompts; holds no key and no connection. `apply(..., engine=)`, `plan` and `run` take it.

    Attributes:
        endpoints: one endpoint, which is then called "default", or endpoints by the names that prompts call them.
        cache: raw responses, so that nothing is paid twice: an open cache, the path of one, or None for none. The
            user's own where not given.
        prices: what models cost.
        budget: where a run stops; what was not sent is then missing, which is not an abstain.
        deadline: seconds after which a run stops, likewise; None for none.
        give_up_after: where so many first replies to a prompt fail alike and none is an answer, the run ends with an
            EndpointError that tells why, instead of paying for the others; None to go on. Until there is an answer, no
            more calls than these are in flight.
    """

    endpoints: Endpoint | Mapping[str, Endpoint] = field(default_factory=Endpoint)
    cache: ResponseCache | str | os.PathLike[str] | None = field(default_factory=default_path)
    prices: PriceTable = field(default_factory=PriceTable.default)
    budget: Budget | None = None
    deadline: float | None = None
    give_up_after: int | None = 20

    def __post_init__(self) -> None:
        if self.give_up_after is not None and not self.give_up_after > 0:
            raise InvalidArgumentError(
                f"give_up_after must be above 0, or None, got {self.give_up_after!r}", field="give_up_after"
            )
        if self.deadline is not None and not self.deadline > 0:
            raise InvalidArgumentError(f"deadline must be above 0 seconds, got {self.deadline!r}", field="deadline")

    def endpoint_of(self, prompt: Prompt) -> Endpoint:
        """The endpoint that a prompt names.

        Raises:
            InvalidArgumentError: if there is none of this name.
        """
        known = {"default": self.endpoints} if isinstance(self.endpoints, Endpoint) else self.endpoints
        if prompt.endpoint not in known:
            raise InvalidArgumentError(
                f"prompt {prompt.name!r} names the endpoint {prompt.endpoint!r}; known are {', '.join(known)}",
                field="endpoint",
            )
        return known[prompt.endpoint]

    def prepare(self, prompts: Sequence[Prompt]) -> list[PreparedPrompt]:
        """The prompts ready to run, at their endpoints and prices: one for each source that they make.

        Raises:
            InvalidArgumentError: if an endpoint is not known, or a price is not known that a budget needs.
        """
        for prompt in prompts:
            if not isinstance(prompt, PromptFunction | SpanPrompt):
                raise InvalidArgumentError(f"{prompt!r} is not a PromptFunction", field="functions")
        prepared = [
            one for prompt in prompts for one in prepare(prompt, self.endpoint_of(prompt), self.prices.of(prompt.model))
        ]
        for one in prepared:
            if one.price is None and self.budget is not None and self.budget.money is not None:
                raise InvalidArgumentError(
                    f"no price is known for {one.prompt.model!r}, which a budget in money needs: "
                    "PriceTable.default().with_prices(**{model: Price(input, output)}), or give the budget in tokens",
                    field="prices",
                )
        return prepared

    def compile(self, prompts: Sequence[Prompt]) -> list[PreparedPrompt]:
        """Deprecated: `prepare` by its earlier name."""
        warnings.warn("PromptEngine.compile is called prepare", DeprecationWarning, stacklevel=2)
        return self.prepare(prompts)

    @contextmanager
    def opened_cache(self) -> Iterator[ResponseCache | None]:
        """The cache, open; closed afterwards where the engine knows it by its path."""
        if self.cache is None or isinstance(self.cache, ResponseCache):
            yield self.cache
            return
        cache = ResponseCache(Path(self.cache))
        try:
            yield cache
        finally:
            cache.close()

    def answer(
        self,
        sources: Sequence[Any],
        items: Sequence[Any],
        *,
        n_classes: int,
        progress: bool | ProgressCallback = False,
    ) -> tuple[Votes, list[Failure]]:
        """The votes of prompts on items, for `apply`; `run` tells more.

        Raises:
            InvalidArgumentError: for sources that are not prompts, endpoints and prices that are not known.
            EndpointError: if an endpoint refuses the key or the model, or answers nothing, or the first replies to a
                prompt fail alike.
            MissingExtraError: if the extra `prompts` is not installed.
        """
        outcome = self.ask(sources, items, n_classes=n_classes, progress=progress)
        _warn_of_the_end(outcome.result.stopped, int(outcome.missing.sum()))
        return outcome.votes, outcome.failures

    def find_spans(
        self, sources: Sequence[Any], documents: Sequence[Any], *, progress: bool | ProgressCallback = False
    ) -> dict[str, Spans]:
        """The spans of prompts in documents, for `apply_spans`; `run` tells more. None where there is no answer.

        Raises:
            InvalidArgumentError, EndpointError, MissingExtraError: as of `answer`.
        """
        outcome = self.ask_spans(sources, documents, progress=progress)
        _warn_of_the_end(outcome.result.stopped, int(outcome.missing.sum()))
        warn_of_failures(outcome.failures, len(documents))
        return outcome.spans

    def ask(
        self,
        prompts: Sequence[PromptFunction],
        items: Sequence[Any],
        *,
        n_classes: int,
        progress: bool | ProgressCallback = False,
        batches: BatchOptions | None = None,
        ask_again: bool | Collection[int] = False,
    ) -> Outcome:
        """Ask prompts about items, call by call or by batches: votes, and what it took. Errors as of `answer`."""
        prepared, result = self._send(prompts, items, progress, batches, ask_again)
        functions = [one for one in prepared if isinstance(one, PreparedFunction)]
        return build_outcome(functions, result, len(items), n_classes)

    def ask_spans(
        self,
        prompts: Sequence[SpanPrompt],
        items: Sequence[Any],
        *,
        progress: bool | ProgressCallback = False,
        batches: BatchOptions | None = None,
        ask_again: bool | Collection[int] = False,
    ) -> SpanOutcome:
        """Ask prompts for the spans of items: spans, and what it took. Errors as of `answer`."""
        return build_span_outcome(*self._send(prompts, items, progress, batches, ask_again), len(items))

    def _send(
        self,
        prompts: Sequence[Prompt],
        items: Sequence[Any],
        progress: bool | ProgressCallback,
        batches: BatchOptions | None,
        ask_again: bool | Collection[int],
    ) -> tuple[list[PreparedPrompt], RunResult]:
        require_packages()
        prepared = self.prepare(prompts)
        check_fields(prompts, items)
        with self.opened_cache() as cache, progress_callback(progress) as callback:
            state = RunState(
                prompts=prepared,
                items=items,
                cache=cache,
                budget=self.budget,
                deadline=self.deadline,
                give_up_after=self.give_up_after,
                ask_again=ask_again,
            )
            return prepared, run_to_end(_runner(state, batches).run(callback))


def _warn_of_the_end(stopped: Stopped | None, n_missing: int) -> None:
    if stopped is not None:
        warnings.warn(
            f"the {stopped} ended the run: {n_missing:,} cells were not sent, and are missing. Run again to go on; "
            "what was answered is not sent again",
            StoppedEarlyWarning,
            stacklevel=4,
        )


def _runner(state: RunState, batches: BatchOptions | None) -> CallRunner | BatchRunner:
    # Imported here: what sends calls needs the client, which takes a second; declarations and plans do without.
    from weaklabel.prompts.runner.batches import BatchRunner
    from weaklabel.prompts.runner.calls import CallRunner

    return CallRunner(state) if batches is None else BatchRunner(state, batches)


@default_engine.register(PromptFunction)
@default_engine.register(SpanPrompt)
def _(source: PromptFunction | SpanPrompt) -> PromptEngine:
    """What runs prompts where no engine is given: the endpoint and key of the environment, and the user's cache."""
    del source
    return PromptEngine()

"""The spans of a run of prompts, and what is not answered: missing and failed documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel.labeling.failures import Failure
from weaklabel.prompts.runner.prepared_prompt import PreparedPrompt
from weaklabel.prompts.runner.state import RunResult

Spans = list[list[tuple[int, int, str]] | None]
"""Spans (start, end, type) in characters of each document; None where there is no answer."""


@dataclass(frozen=True, kw_only=True)
class SpanOutcome:
    """The spans of P prompts in N documents, and what the run took.

    Attributes:
        spans: of each prompt by name.
        missing: [N, P] whether a call was not sent.
        refused: [N, P] whether a model or a filter declined to answer.
        left_out: [P] what was left out of replies that are answers, by reason.
        failures: every cell that is an error, in the order of items.
        result: what the run took.
    """

    spans: dict[str, Spans]
    missing: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    left_out: tuple[dict[str, int], ...]
    failures: list[Failure]
    result: RunResult


def build_span_outcome(prompts: Sequence[PreparedPrompt], result: RunResult, n_items: int) -> SpanOutcome:
    """Make spans out of the responses of a run."""
    spans: dict[str, Spans] = {}
    missing, refused = (np.zeros((n_items, len(prompts)), bool) for _ in range(2))
    left_out: list[dict[str, int]] = []
    failures: list[Failure] = []
    for p, prepared in enumerate(prompts):
        found: Spans = []
        reasons: Counter[str] = Counter()
        for i, (response,) in enumerate(result.responses[p][:n_items]):
            missing[i, p] = response is None
            if response is None or response.error is not None:
                found.append(None)
            else:
                found.append(list(response.spans))
                reasons.update(one.reason for one in response.left_out)
            if response is not None and response.error is not None:
                refused[i, p] = response.refused
                failures.append(Failure(prepared.name, i, error=response.error, traceback=response.error))
        spans[prepared.name] = found
        left_out.append(dict(reasons))
    failures.sort(key=lambda failure: failure.item)
    return SpanOutcome(
        spans=spans, missing=missing, refused=refused, left_out=tuple(left_out), failures=failures, result=result
    )

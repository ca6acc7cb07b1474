"""The votes of a run of prompts, and what is not voted: missing and failed cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaklabel.labeling.failures import Failure
from weaklabel.prompts.runner.prepared_prompt import PreparedFunction
from weaklabel.prompts.runner.state import RunResult
from weaklabel.votes import ABSTAIN, ERROR, Votes
from weaklabel.votes.symbols import ImpreciseVote


class StoppedEarlyWarning(UserWarning):
    """A run ended at its budget or deadline; what was not sent is missing, and not abstained."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The votes of P prompts on N items, and what the run took.

    Attributes:
        votes: Votes [N, P]; missing cells are no votes.
        missing: [N, P] whether some call of a cell was not sent.
        refused: [N, P] whether a model or a filter declined to answer.
        plain: [N, P] whether a vote is a plain answer, because the endpoint gave no probabilities (votes="logprobs").
        calibrated: [P] whether content-free inputs corrected the prompt.
        failures: every cell that is an error, in the order of items.
        result: what the run took.
    """

    votes: Votes
    missing: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    calibrated: NDArray[np.bool_]
    failures: list[Failure]
    result: RunResult


def build_outcome(prompts: Sequence[PreparedFunction], result: RunResult, n_items: int, n_classes: int) -> Outcome:
    """Make votes out of the responses of a run."""
    codes = np.full((n_items, len(prompts)), ABSTAIN, np.int32)
    missing, refused, plain = (np.zeros(codes.shape, bool) for _ in range(3))
    calibrated = np.zeros(len(prompts), bool)
    numbers: dict[ImpreciseVote, int] = {}
    failures: list[Failure] = []
    for p, prepared in enumerate(prompts):
        responses = result.responses[p]
        baseline = prepared.votes.baseline(
            [one for samples in responses[n_items:] for one in samples if one is not None]
        )
        calibrated[p] = bool(baseline)
        shown = result.shown[p]
        for i, samples in enumerate(responses[:n_items]):
            answered = [one for one in samples if one is not None]
            if len(answered) < len(samples):
                missing[i, p] = True
                continue
            vote = prepared.votes.vote(answered, shown.get(i), baseline, n_classes)
            if vote is None:
                codes[i, p] = ERROR
                refused[i, p] = any(one.refused for one in answered)
                reason = next(one.error for one in answered if one.error is not None)
                failures.append(Failure(prepared.name, i, error=reason, traceback=reason))
                continue
            if prepared.logprobs:
                plain[i, p] = any(one.error is None and not one.shares for one in answered)
            if isinstance(vote, int):
                codes[i, p] = vote
            else:
                codes[i, p] = n_classes + numbers.setdefault(vote, len(numbers))
    names = [one.name for one in prompts]
    votes = Votes.from_codes(codes, n_classes, symbols=list(numbers), sources=names)
    failures.sort(key=lambda failure: failure.item)
    return Outcome(
        votes=votes,
        missing=missing,
        refused=refused,
        plain=plain,
        calibrated=calibrated,
        failures=failures,
        result=result,
    )

"""Votes out of responses: samples, log-probabilities, calibration, and answers of a shortlist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel.prompts.declaration.answer_map import AnswerMap, Vote
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.responses.parser import ParsedResponse, parse
from weaklabel.votes.symbols import CandidateSet, Complement, SoftVote, not_, one_of, soft
from weaklabel.votes.validation import ABSTAIN

_STEPS = 1000  # soft votes are rounded to thousandths, so that alike ones are one symbol
_LEAST_BASELINE = 0.01  # an answer that content-free inputs never got is raised a hundredfold at most


class VoteBuilder:
    """Builds the votes of one prompt, or of one field of its answers."""

    def __init__(self, prompt: PromptFunction, field: str | None = None) -> None:
        self._prompt, self._field = prompt, field
        self._answers: Mapping[str, Vote] = prompt.answers if field is None else prompt.answers[field]
        self._map = AnswerMap(self._answers)
        shortlist = prompt.shortlist
        self._none = None if shortlist is None else shortlist.none
        self._pick = 1 if shortlist is None else shortlist.pick

    def parse(self, response: Mapping[str, Any], shown: tuple[str, ...] | None) -> ParsedResponse:
        """The parsed response to a request that showed these answers."""
        answers = self._map if shown is None else AnswerMap(dict.fromkeys(shown, ABSTAIN))
        return parse(response, answers, self._pick, self._prompt.parse, self._field)

    def baseline(self, responses: Sequence[ParsedResponse]) -> dict[str, float]:
        """The mean probability of each answer to inputs without content; empty where the endpoint gives none."""
        shares = [response.shares for response in responses if response.shares]
        answers = {answer for one in shares for answer in one}
        return {answer: sum(one.get(answer, 0.0) for one in shares) / len(shares) for answer in answers}

    def vote(
        self,
        responses: Sequence[ParsedResponse],
        shown: tuple[str, ...] | None,
        baseline: Mapping[str, float],
        n_classes: int,
    ) -> Vote | None:
        """The vote of an item out of its samples; None where half of them or more are errors."""
        answered = [response for response in responses if response.error is None]
        if 2 * len(answered) <= len(responses):
            return None
        if self._pick > 1:
            return self._candidates(answered[0].answers, shown, n_classes)
        shares: dict[str, float] = {}
        for response in answered:
            if self._prompt.votes == "logprobs" and response.shares:
                weights = dict(response.shares)
            else:
                weights = {response.answers[0]: 1.0}
            if baseline and response.shares:
                weights = {a: weight / max(baseline.get(a, 0.0), _LEAST_BASELINE) for a, weight in weights.items()}
            total = sum(weights.values()) * len(answered)
            for answer, share in weights.items():
                shares[answer] = shares.get(answer, 0.0) + share / total
        votes: dict[Vote, float] = {}
        for answer, share in shares.items():
            vote = self._vote_of(answer, shown, n_classes)
            votes[vote] = votes.get(vote, 0.0) + share
        return next(iter(votes)) if len(votes) == 1 else _mixture(votes, n_classes)

    def _vote_of(self, answer: str, shown: tuple[str, ...] | None, n_classes: int) -> Vote:
        answers = self._answers
        if shown is None or answer != self._none:
            return answers[answer]
        classes = {vote for text in shown if text != self._none and isinstance(vote := answers[text], int)}
        classes -= {ABSTAIN}
        return not_(*sorted(classes)) if len(classes) < n_classes else ABSTAIN  # none of all classes is no vote

    def _candidates(self, answers: tuple[str, ...], shown: tuple[str, ...] | None, n_classes: int) -> Vote:
        """A candidate set of the classes named; an answer that is no class says more only where it stands alone."""
        votes = {self._vote_of(answer, shown, n_classes) for answer in answers}
        if len(votes) == 1:
            return votes.pop()
        classes = sorted(vote for vote in votes if isinstance(vote, int) and vote >= 0)
        return one_of(*classes) if len(classes) == len(votes) else ABSTAIN


def _mixture(votes: Mapping[Vote, float], n_classes: int) -> Vote:
    """A soft vote: each vote spread evenly over the classes that it allows. An abstain allows all of them."""
    total = np.zeros(n_classes)
    for vote, share in votes.items():
        if isinstance(vote, SoftVote):
            total += share * np.array(vote.probabilities)
            continue
        if isinstance(vote, CandidateSet):
            allowed = list(vote.classes)
        elif isinstance(vote, Complement):
            allowed = [k for k in range(n_classes) if k not in vote.classes]
        else:
            allowed = [vote] if vote >= 0 else list(range(n_classes))
        total[allowed] += share / len(allowed)
    rounded = np.round(total * _STEPS)
    return soft(rounded / rounded.sum())

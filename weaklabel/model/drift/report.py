"""What is said of skills over time: accuracy with an interval, and jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.drift.blocks import block_at, borders
from weaklabel.model.drift.history import Drift
from weaklabel.model.report.diagnostics import Diagnostics, Finding
from weaklabel.model.report.intervals import beta_interval
from weaklabel.model.settings import Settings
from weaklabel.side_information.times import times_at

MOST_NAMED = 5
"""Jumps that a finding tells, the largest first."""


class SkillJump(NamedTuple):
    """A change of a source's skill from one block of time to the next."""

    source: str
    time: Any
    """Half way between the items before and after: a number, or numpy.datetime64, as times were given."""
    before: float
    """Accuracy before it."""
    after: float
    """Accuracy after it."""


class Skill(NamedTuple):
    """Accuracies over time."""

    accuracy: NDArray[np.float64]
    """[T, M]"""
    interval: NDArray[np.float64]
    """[T, M, 2]"""


def skill_over_time(drift: Drift, times: NDArray[np.float64], settings: Settings) -> Skill:
    """The accuracy of each source at some times.

    Behind the last item, and before the first, an accuracy stays what it was, and its interval widens as counts fade.

    Args:
        drift: the history.
        times: [T]
        settings: constants.
    """
    block = block_at(times, borders(drift.starts, drift.middles, drift.ends))
    right, n_votes = _right_and_all(drift)
    accuracy = _shrunk(right, n_votes, settings)[block]
    beyond = np.maximum(np.maximum(times - drift.ends[-1], drift.starts[0] - times), 0)
    observations = n_votes[block] * drift.worth * np.exp(-np.outer(beyond, drift.rates))
    interval = np.stack([beta_interval(*pair) for pair in zip(accuracy, observations, strict=True)])
    return Skill(accuracy, interval)


def _right_and_all(drift: Drift) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[B, M] right votes and votes that tell the skills of each block."""
    faded = drift.faded()
    return np.einsum("bmkk->bm", faded), faded.sum((2, 3))


def _shrunk(right: NDArray[np.float64], n_votes: NDArray[np.float64], settings: Settings) -> NDArray[np.float64]:
    """[B, M] accuracies, drawn to that of all sources where votes are few, as in an M-step."""
    mass = settings.accuracy_mass
    overall = (right.sum(1) + mass * settings.accuracy_mean) / (n_votes.sum(1) + mass)
    return np.asarray((right + mass * overall[:, None]) / (n_votes + mass))


def jumps_of(drift: Drift, names: Sequence[str], settings: Settings) -> tuple[SkillJump, ...]:
    """The jumps of all sources, in the order of time."""
    accuracy = _shrunk(*_right_and_all(drift), settings)
    edges = borders(drift.starts, drift.middles, drift.ends)
    sources, blocks = np.nonzero(np.diff(drift.segments, axis=1))
    in_time = np.lexsort((sources, blocks))
    when = times_at(edges[blocks], bool(drift.are_dates))
    return tuple(
        SkillJump(
            source=names[sources[at]],
            time=when[at] if drift.are_dates else float(when[at]),
            before=float(accuracy[blocks[at], sources[at]]),
            after=float(accuracy[blocks[at] + 1, sources[at]]),
        )
        for at in in_time
    )


def with_jumps(diagnostics: Diagnostics, jumps: Sequence[SkillJump]) -> Diagnostics:
    """The diagnostics with a finding that tells the jumps, in place of one that there may be."""
    others = tuple(one for one in diagnostics.findings if one.kind != "skill_jump")
    if not jumps:
        return replace(diagnostics, findings=others)
    largest = sorted(jumps, key=lambda jump: -abs(jump.after - jump.before))
    told = "; ".join(
        f"{jump.source} from {jump.before:.2f} to {jump.after:.2f} at {jump.time}" for jump in largest[:MOST_NAMED]
    )
    more = f"; and {len(jumps) - MOST_NAMED} more, see `skill_jumps`" if len(jumps) > MOST_NAMED else ""
    message = f"The accuracy of sources jumped: {told}{more}. Look at what changed there: a prompt, a rule, a person."
    return replace(diagnostics, findings=(*others, Finding("skill_jump", message)))

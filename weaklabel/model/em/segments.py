"""Compiled loops, watched: in one go, or in segments between which somebody is told how far they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Int

from weaklabel.model.numerics.jax_settings import users_settings

REPORTED_ITERATIONS = 10
"""Between two reports of progress."""


class FitProgress(NamedTuple):
    """How far a fit has come."""

    iteration: int
    """EM iterations done."""
    max_iter: int
    """At most so many."""
    objective: float
    """Log marginal likelihood of the votes per item after the last iteration, in nats; of models of other labels than
    classes, the last value of `objective`, NaN where they have none."""
    change: float
    """Largest change of a responsibility in the last iteration; of many rows, the mean total variation; of models of
    other labels, what they watch. EM stops when it is under the tolerance."""


OnProgress = Callable[[FitProgress], None]
"""Who is told; what it raises ends the fit."""


@runtime_checkable
class LoopState(Protocol):
    """The state of a loop, as far as segments go by it."""

    @property
    def iteration(self) -> Int[Array, ""]:
        """Iterations done."""

    @property
    def change(self) -> Float[Array, ""]:
        """What the loop watches to see whether it has converged."""


State = TypeVar("State", bound=LoopState)


def in_segments(
    run: Callable[[State, Any], State],
    state: State,
    max_iter: int,
    progress: OnProgress | None,
    objective: Callable[[State, int], float] = lambda _, __: float("nan"),
) -> State:
    """A compiled loop until it ends by itself, or until `max_iter`: the same bits whether it is watched or not.

    Args:
        run: the loop, from a state until its end or until an iteration.
        state: before the first iteration.
        max_iter: iterations at most.
        progress: who is told of every tenth iteration, and of the last.
        objective: of a state after so many iterations, for who is told; NaN where there is none.
    """
    if progress is None:
        return run(state, np.int32(max_iter))
    done = stop_at = 0
    while done == stop_at < max_iter:
        stop_at = min(done + REPORTED_ITERATIONS, max_iter)
        state = run(state, np.int32(stop_at))
        before, done = done, int(state.iteration)
        if done > before:  # else it had converged at the end of the last segment
            with users_settings():
                progress(FitProgress(done, max_iter, objective(state, done), float(state.change)))
    return state

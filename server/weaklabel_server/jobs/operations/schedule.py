"""Which fit runs next, where many projects want to fit: rules alone, without threads, clocks or a store."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WaitingFit:
    """A fit in the queue, and what it takes by estimate."""

    key: int
    """The key of its operation: of one project, the smaller is the older."""
    project: int
    memory: int = 0
    """Bytes."""
    short: bool = True
    """Whether it takes about a second at most."""


class Schedule:
    """The queue of all projects.

    - A project that was served less recently goes first; within a project, the older fit.
    - A project runs at most `per_project` fits at a time, so that its burst leaves a place for others.
    - Of more than one place, fits that are not short leave one free: a short fit never waits for long ones of others.
    - The memory of all that run stays within `memory`; a fit alone may run whatever it takes.
    """

    def __init__(self, *, places: int, per_project: int | None = None, memory: int | None = None) -> None:
        """An empty queue.

        Args:
            places: Fits that run at the same time, at least 1.
            per_project: Fits of one project that do; None leaves one place to others, where there are several.
            memory: Bytes; None for no limit.
        """
        self._places = places
        self._long_places = max(1, places - 1)
        self._per_project = max(1, places - 1) if per_project is None else per_project
        self._memory = memory
        self._waiting: dict[int, WaitingFit] = {}
        self._running: dict[int, WaitingFit] = {}
        # When each project was served last, in turns. A project is never forgotten: one that was would go first again.
        self._served: dict[int, int] = {}
        self._turn = 0

    def add(self, fit: WaitingFit) -> None:
        """Puts a fit into the queue."""
        self._waiting[fit.key] = fit

    def remove(self, key: int) -> None:
        """Takes a fit out, whether it waits or runs."""
        self._waiting.pop(key, None)
        self._running.pop(key, None)

    def take(self) -> WaitingFit | None:
        """The fit that begins now, which counts as running until it is removed; None where none may begin."""
        if len(self._running) >= self._places:
            return None
        heads = list(self._heads())
        if not heads:
            return None
        chosen = min(heads, key=lambda fit: (self._served.get(fit.project, 0), fit.key))
        # One that needs much memory is not overtaken by those that need less, or it might wait for ever.
        if not self._has_memory(chosen):
            return None
        self._turn += 1
        self._served[chosen.project] = self._turn
        self._running[chosen.key] = self._waiting.pop(chosen.key)
        return chosen

    def _heads(self) -> Iterator[WaitingFit]:
        """Of each project the oldest fit that the numbers of places allow."""
        long_is_free = sum(not fit.short for fit in self._running.values()) < self._long_places
        seen = set()
        for key in sorted(self._waiting):
            fit = self._waiting[key]
            if fit.project in seen or not (fit.short or long_is_free):
                continue
            if sum(other.project == fit.project for other in self._running.values()) < self._per_project:
                seen.add(fit.project)
                yield fit

    def _has_memory(self, fit: WaitingFit) -> bool:
        taken = sum(other.memory for other in self._running.values())
        return self._memory is None or not self._running or taken + fit.memory <= self._memory

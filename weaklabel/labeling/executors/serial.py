"""The engine that runs labeling functions in this process."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from itertools import islice
from typing import Any

from weaklabel.labeling.evaluate import Evaluator, Part

_LARGEST_RUN = 1024  # items
_QUICK, _SLOW = 0.05, 0.2  # seconds a run: often enough for a progress bar


def run(evaluate: Evaluator, items: Iterable[Any]) -> Generator[Part, None, None]:
    """Evaluate the items in order, a part at a time; slow functions get small parts, so that progress shows."""
    rest = iter(items)
    first, size = 0, 1
    while chunk := list(islice(rest, size)):
        started = time.perf_counter()
        yield evaluate(chunk, first)
        took = time.perf_counter() - started
        first += len(chunk)
        if took < _QUICK:
            size = min(2 * size, _LARGEST_RUN)
        elif took > _SLOW:
            size = max(size // 2, 1)

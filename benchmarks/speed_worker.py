#!/usr/bin/env python
"""Runs one job of benchmarks/speed.py in a process of its own: prints one JSON object.

    .venv/bin/python benchmarks/speed_worker.py fit problem.npz --save probabilities.npy

fit       weaklabel: a small fit for warm-up, then the problem, then three a little smaller; fit and predict apart.
full      weaklabel: one fit to every row, without approximations.
majority  weaklabel's majority vote, timed as fit is.
predict   weaklabel: predict alone; the caller pins the process to one core.
cold      weaklabel: imports, fits and predicts, once; the caller takes the time.
ibcc      the peer of benchmarks/ibcc.py.
floors    see benchmarks/floors.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulate import Problem

WARM_UP = 2000
"""Items of the fit that comes first, so that what is done once in a process is done."""
REPEATS = 3

Probabilities = NDArray[Any]


def memory(field: str) -> float:
    """MB of this process: VmRSS now, VmHWM the most since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def forget_peak() -> None:
    """Starts VmHWM anew (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")


class Compilations:
    """Counts what JAX compiles."""

    def __init__(self) -> None:
        import jax.monitoring

        self.n, self.seconds = 0, 0.0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, duration_secs: float, **_: str | int) -> None:
        if event.endswith("backend_compile_duration"):
            self.n += 1
            self.seconds += duration_secs


def given(problem: Problem) -> Any:
    """The votes as a user has them: an int8 array, or Votes of triples."""
    if problem.triples is None:
        return problem.votes
    from weaklabel import Votes

    n_items, n_sources = problem.n_items, problem.n_sources
    return Votes.from_triples(*problem.triples, n_classes=problem.n_classes, n_items=n_items, n_sources=n_sources)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the answer."""
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer


def fit_and_predict(make: Callable[[], Any], path: Path) -> tuple[dict[str, Any], Probabilities]:
    """Times a model: the first fit of a size, and the median of later fits of sizes that differ a little."""
    compilations = Compilations()
    imported = memory("VmRSS")
    problem = Problem.load(path)
    warm_up(make, problem)
    figures: dict[str, Any] = {"n_items": problem.n_items, "n_votes": problem.n_votes, "imported_mb": imported}
    figures["first"], probabilities = one_fit(make, problem, compilations, imported)
    smaller = [problem.first(problem.n_items - n * problem.n_items // 100) for n in range(1, REPEATS + 1)]
    later = [one_fit(make, part, compilations, imported)[0] for part in smaller]
    figures |= sorted(later, key=lambda run: run["total_s"])[REPEATS // 2]
    figures["compiled"] = sum(run["compiled"] for run in later)
    figures["peak_mb"] = max(run["peak_mb"] for run in (figures["first"], *later))
    return figures, probabilities


def warm_up(make: Callable[[], Any], problem: Problem) -> None:
    """A small fit."""
    votes = given(problem.first(WARM_UP))
    make().fit(votes).predict_proba(votes)


def one_fit(
    make: Callable[[], Any], problem: Problem, compilations: Compilations, imported: float
) -> tuple[dict[str, Any], Probabilities]:
    """Figures of one fit and predict, and the probabilities."""
    converted, votes = timed(lambda: given(problem))
    compiled, seconds = compilations.n, compilations.seconds
    forget_peak()
    fitted, model = timed(lambda: make().fit(votes))
    predicted, found = timed(lambda: model.predict_proba(votes))
    figures = {
        "convert_s": converted,
        "fit_s": fitted,
        "predict_s": predicted,
        "total_s": fitted + predicted,
        "compiled": compilations.n - compiled,
        "compile_s": compilations.seconds - seconds,
        "peak_mb": memory("VmHWM") - imported,
        "iterations": getattr(model, "n_iter", None),
    }
    return figures, found


def fit(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """The label model."""
    from weaklabel import LabelModel

    n_classes = int(np.load(path)["n_classes"])
    return fit_and_predict(lambda: LabelModel(n_classes), path)


def full(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """The label model without approximations, once."""
    from weaklabel import LabelModel

    compilations, imported, problem = Compilations(), memory("VmRSS"), Problem.load(path)
    return one_fit(lambda: LabelModel(problem.n_classes, sample_rows=None), problem, compilations, imported)


def majority(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """Majority vote."""
    from weaklabel import MajorityVote

    n_classes = int(np.load(path)["n_classes"])
    return fit_and_predict(lambda: MajorityVote(n_classes), path)


def predict(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """Prediction alone, by a model of a tenth of the items at most; the fastest of three."""
    from weaklabel import LabelModel

    problem = Problem.load(path)
    model = LabelModel(problem.n_classes).fit(given(problem.first(min(problem.n_items, 100_000))))

    def once() -> tuple[float, Probabilities]:
        votes = given(problem)  # anew: of the same ones, what was prepared would be used again
        return timed(lambda: model.predict_proba(votes))

    once()
    seconds, found = min((once() for _ in range(REPEATS)), key=lambda run: run[0])
    return {"predict_s": seconds, "votes_per_s": problem.n_votes / seconds}, found


def cold(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """One fit, from nothing."""
    from weaklabel import LabelModel

    problem = Problem.load(path)
    votes = given(problem)
    return {}, LabelModel(problem.n_classes).fit(votes).predict_proba(votes)


def ibcc(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """The peer; its sparse matrices are made beforehand."""
    from ibcc import IBCC

    imported = memory("VmRSS")
    problem = Problem.load(path)
    if problem.triples is None:
        assert problem.votes is not None
        rows, columns = np.nonzero(problem.votes >= 0)
        triples: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] = (rows, columns, problem.votes[rows, columns])
    else:
        triples = problem.triples
    shape = (problem.n_items, problem.n_sources, problem.n_classes)
    converted, model = timed(lambda: IBCC(*triples, shape))
    fitted, (found, iterations) = timed(model.fit)
    figures = {"convert_s": converted, "fit_s": fitted, "predict_s": 0.0, "iterations": iterations}
    return figures | {"peak_mb": memory("VmHWM") - imported}, found


def floors(path: Path) -> tuple[dict[str, Any], Probabilities]:
    """What the machine allows."""
    from floors import floors as measure

    return measure(Problem.load(path)), np.empty(0)


JOBS = {
    "fit": fit,
    "full": full,
    "majority": majority,
    "predict": predict,
    "cold": cold,
    "ibcc": ibcc,
    "floors": floors,
}


def main() -> None:
    """One job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("problem", type=Path)
    parser.add_argument("--save", type=Path, help="where to put the probabilities")
    arguments = parser.parse_args()
    figures, probabilities = JOBS[arguments.job](arguments.problem)
    if arguments.save:
        np.save(arguments.save, probabilities)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Constants of the model, chosen on all families but one and scored on that one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from label_quality.problems import Problem
from label_quality.scoring import score
from label_quality.tables import Printer
from weaklabel import LabelModel
from weaklabel.model.settings import Settings


def parse(text: str) -> tuple[str, list[float]]:
    """The constant and its values in "name=1,2,3".

    Raises:
        ValueError: for another form, or a constant that the model does not have.
    """
    name, _, values = text.partition("=")
    if name not in Settings._fields:
        raise ValueError(f"no constant {name!r}; there are {', '.join(Settings._fields)}")
    return name, [float(value) for value in values.split(",")]


def nll(problem: Problem, **constants: float) -> float:
    """NLL of the model with some constants set, the others default."""
    model = LabelModel(problem.votes.n_classes)
    model._settings = model._settings._replace(**constants)
    p = model.fit(problem.votes, features=problem.features).predict_proba(problem.votes, features=problem.features)
    return score(p, np.where(problem.test, problem.gold, -1)).nll


def family_means(values: NDArray[np.float64], families: Sequence[str]) -> NDArray[np.float64]:
    """[F, ...] means over the sets of each family; `values` [sets, ...]."""
    named = np.asarray(families)
    return np.stack([values[named == family].mean(0) for family in dict.fromkeys(families)])


def choose(means: NDArray[np.float64]) -> tuple[NDArray[np.int64], float, int, float]:
    """From NLL [F, V] of families by values: what is chosen, and what it costs.

    Returns:
        the value chosen without each family [F], the mean NLL of the families held out, the value chosen on all, and
        its mean NLL.
    """
    without = (means.sum(0) - means).argmin(1)
    held_out = float(means[np.arange(len(means)), without].mean())
    best = int(means.mean(0).argmin())
    return without, held_out, best, float(means[:, best].mean())


def leave_one_family_out(
    problems: list[Problem], constants: dict[str, list[float]], printer: Printer
) -> dict[str, dict[str, object]]:
    """Each constant by itself, the others default; a family counts once, however many sets it has."""
    families = [problem.family for problem in problems]
    if len(set(families)) < 2:
        raise SystemExit("leaving a family out takes two families")
    default = Settings()
    found: dict[str, dict[str, object]] = {}
    table: list[list[str]] = []
    at_default = np.array([nll(problem) for problem in problems])
    for name, values in constants.items():
        fits = np.empty((len(problems), len(values)))
        for v, value in enumerate(values):
            same = value == getattr(default, name)
            fits[:, v] = at_default if same else [nll(problem, **{name: value}) for problem in problems]
            print(f"  {name}={value:g}: done", file=sys.stderr)
        means = family_means(fits, families)
        without, held_out, best, in_sample = choose(means)
        chosen = {family: values[v] for family, v in zip(dict.fromkeys(families), without, strict=True)}
        counts = {value: list(chosen.values()).count(value) for value in values}
        told = ", ".join(f"{value:g} ({n}x)" for value, n in counts.items() if n)
        base = float(family_means(at_default, families).mean())
        curve = ", ".join(f"{value:g}: {mean:.4f}" for value, mean in zip(values, means.mean(0), strict=True))
        figures = [f"{base:.4f}", f"{in_sample:.4f}", f"{held_out:.4f}"]
        table.append([name, f"{getattr(default, name):g}", curve, f"{values[best]:g}", told, *figures])
        found[name] = {
            "values": values,
            "means": means.mean(0).tolist(),
            "chosen on all": values[best],
            "chosen without": chosen,
            "default": base,
            "in sample": in_sample,
            "held out": held_out,
        }
    header = (
        "constant",
        "default",
        "NLL by value",
        "chosen on all",
        "chosen without one family",
        "NLL: default",
        "in sample",
        "held out",
    )
    printer.table(f"NLL, mean over {len(set(families))} families", header, table)
    return found

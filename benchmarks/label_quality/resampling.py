"""Many problems out of each set, paired: a random subset of its sources, and a bootstrap of its items."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from label_quality.baselines import MAJORITY, PeerBoard, baselines
from label_quality.problems import Problem, resample
from label_quality.scoring import Scores, difference, score
from label_quality.tables import Printer, Row
from weaklabel import LabelModel


class Fit(NamedTuple):
    """The default model on one resampled problem."""

    group: str
    name: str
    ahead: float
    """Score minus that of majority vote."""
    risk: float
    findings: list[str]


def resampled(problems: list[Problem], n: int, board: PeerBoard, printer: Printer) -> tuple[list[Row], list[Fit]]:
    """Prints paired differences a group, and returns scores and what the fits said about themselves."""
    rows: list[Row] = []
    fits: list[Fit] = []
    for group in dict.fromkeys(problem.group for problem in problems):
        pairs: dict[str, list[Scores]] = {}
        started = len(fits)
        for problem in (problem for problem in problems if problem.group == group):
            for variant in resample(problem, n):
                gold = np.where(variant.test, variant.gold, -1)
                model = LabelModel(variant.votes.n_classes).fit(variant.votes, features=variant.features)
                mine = score(model.predict_proba(variant.votes, features=variant.features), gold, rare=variant.rare)
                others = {
                    name: score(other(variant.votes), gold, rare=variant.rare)
                    for name, other in baselines(variant).items()
                } | board.scores(variant)
                for name, theirs in others.items():
                    pairs.setdefault(name, []).append(difference(mine, theirs))
                for name, scores in ({"weaklabel": mine} | others).items():
                    rows.append(Row(group, variant.name, variant.family, name, scores))
                said = model.diagnostics
                kinds = [finding.kind for finding in said.findings]
                fits.append(Fit(group, variant.name, mine.score - others[MAJORITY].score, said.risk, kinds))
            print(f"  {problem.key}: {n} problems done", file=sys.stderr)
        _print_pairs(printer, group, pairs)
        _print_risk(printer, group, fits[started:])
    return rows, fits


def _print_pairs(printer: Printer, group: str, pairs: dict[str, list[Scores]]) -> None:
    body = []
    for name, differences in pairs.items():
        values = np.array(differences) * [100, 1, 1, 1]
        half = 1.96 * values.std(0, ddof=1) / np.sqrt(len(values))
        middle = values.mean(0)
        body.append([f"weaklabel - {name}"])
        for m in range(values.shape[1]):
            low, high = middle[m] - half[m], middle[m] + half[m]
            body[-1].append(f"{middle[m]:+.3f} [{low:+.3f}, {high:+.3f}]")
    n = len(next(iter(pairs.values())))
    title = f"{group}: {n} resampled problems, 95 % normal (problems taken as independent)"
    printer.table(title, ("", "score", "NLL", "Brier", "ECE"), body)


def _print_risk(printer: Printer, group: str, fits: list[Fit]) -> None:
    """Whether the estimated risk orders problems by how often they end below majority vote."""
    order = sorted(fits, key=lambda fit: fit.risk)
    body = []
    for tenth in np.array_split(np.arange(len(order)), min(10, len(order))):
        chosen = [order[position] for position in tenth]
        behind = np.mean([fit.ahead < -0.01 for fit in chosen])
        flagged = np.mean([bool(fit.findings) for fit in chosen])
        risk = f"{100 * chosen[0].risk:.1f} to {100 * chosen[-1].risk:.1f}"
        body.append([risk, str(len(chosen)), f"{100 * behind:.1f}", f"{100 * flagged:.0f}"])
    header = ("risk, %", "problems", "more than 1 point below majority vote, %", "with findings, %")
    printer.table(f"{group}: deciles of the estimated risk", header, body)

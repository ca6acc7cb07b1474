"""The comparison: every model on every set, means of groups, paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_quality.baselines import DAWID_SKENE, MAJORITY, SHARES, PeerBoard, baselines
from label_quality.problems import Problem
from label_quality.scoring import Scores, difference, family_interval, mean, score
from label_quality.tables import Printer, Row, cells, interval_cells
from weaklabel import LabelModel

OURS = "weaklabel"
BAYES = "Bayes (true parameters)"


def ours(problem: Problem) -> NDArray[Any]:
    """[N, K] of the default model, no setting touched; features where the set has them."""
    features = problem.features
    return (
        LabelModel(problem.votes.n_classes)
        .fit(problem.votes, features=features)
        .predict_proba(problem.votes, features=features)
    )


def compare(problem: Problem, board: PeerBoard) -> list[Row]:
    """All models on one set."""
    gold = np.where(problem.test, problem.gold, -1)
    found = {OURS: score(ours(problem), gold, rare=problem.rare)}
    for name, model in baselines(problem).items():
        found[name] = score(model(problem.votes), gold, rare=problem.rare)
    if problem.bayes is not None:
        found[BAYES] = score(problem.bayes, gold, rare=problem.rare)
    found |= board.scores(problem)
    return [Row(problem.group, problem.name, problem.family, name, scores) for name, scores in found.items()]


def by_model(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Rows by model and set."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.model, {})[f"{row.group}/{row.name}"] = row
    return found


def print_comparison(printer: Printer, rows: list[Row], published: Mapping[str, Mapping[str, Scores]]) -> None:
    """All tables."""
    for group in dict.fromkeys(row.group for row in rows):
        chosen = by_model(row for row in rows if row.group == group)
        if group == "simulated":
            _print_families(printer, chosen)
        else:
            _print_sets(printer, group, chosen)
        _print_means(printer, group, chosen)
        _print_differences(printer, group, chosen)
        _print_published(printer, group, chosen[OURS], published)
    real = by_model(row for row in rows if row.group != "simulated")
    if len({row.group for row in rows if row.group != "simulated"}) > 1:
        _print_differences(printer, "all groups with real gold", real)


def _print_sets(printer: Printer, group: str, models: dict[str, dict[str, Row]]) -> None:
    header = ("set", "score", "NLL", "Brier", "ECE", "shares: NLL", "ECE", "majority vote", "score - majority")
    body = []
    for key, row in models[OURS].items():
        shares, votes = models[SHARES][key].scores, models[MAJORITY][key].scores
        beside = [f"{shares.nll:.3f}", f"{shares.ece:.3f}", f"{100 * votes.score:.1f}"]
        body.append([row.name, *cells(row.scores), *beside, f"{100 * (row.scores.score - votes.score):+.1f}"])
    printer.table(f"{group}: sets", header, body)


def _print_families(printer: Printer, models: dict[str, dict[str, Row]]) -> None:
    """Means of the simulated families; NLL and score of each model."""
    names = [name for name in (OURS, BAYES, DAWID_SKENE, SHARES, MAJORITY) if name in models]
    body = []
    for family in dict.fromkeys(row.family for row in models[OURS].values()):
        keys = [key for key, row in models[OURS].items() if row.family == family]
        means = {name: mean([models[name][key].scores for key in keys]) for name in names}
        told = [f"{100 * means[n].score:.1f} / {means[n].nll:.3f} / {means[n].ece:.3f}" for n in names[:-1]]
        body.append([f"{family} ({len(keys)})", *told, f"{100 * means[MAJORITY].score:.1f}"])
    printer.table("simulated: score / NLL / ECE, means of each family", ("family (sets)", *names), body)


def _print_means(printer: Printer, group: str, models: dict[str, dict[str, Row]]) -> None:
    """Means over the sets, best score first."""
    keys = list(models[OURS])
    means = {name: mean([sets[key].scores for key in keys]) for name, sets in models.items()}
    body = [[name, *cells(value)] for name, value in sorted(means.items(), key=lambda entry: -entry[1].score)]
    printer.table(f"{group}: means over {len(keys)} sets", ("model", "score", "NLL", "Brier", "ECE"), body)


def _print_published(
    printer: Printer, group: str, ours: Mapping[str, Row], published: Mapping[str, Mapping[str, Scores]]
) -> None:
    """Paired differences to peers' published figures, each on the sets that it has; the smallest in score first."""
    found = {}
    for name, known in published.items():
        keys = [key for key in ours if key in known]
        if keys:
            paired = [difference(ours[key].scores, known[key]) for key in keys]
            found[name] = mean(paired), family_interval(paired, [ours[key].family for key in keys]), len(keys)
    body = [
        [f"{OURS} - {name} ({n_sets})", *interval_cells(differences, *interval)]
        for name, (differences, interval, n_sets) in sorted(found.items(), key=lambda entry: entry[1][0].score)
    ]
    if body:
        printer.table(f"{group}: published peers (sets)", ("", "score", "NLL", "Brier", "ECE"), body)


def _print_differences(printer: Printer, group: str, models: dict[str, dict[str, Row]]) -> None:
    """Paired differences with intervals, and the sets below majority vote."""
    ours, body = models[OURS], []
    families = [row.family for row in ours.values()]
    for name in (SHARES, MAJORITY):
        paired = [difference(row.scores, models[name][key].scores) for key, row in ours.items()]
        body.append([f"{OURS} - {name}", *interval_cells(mean(paired), *family_interval(paired, families))])
    title = f"{group}: paired differences, 95 % by bootstrap over {len(set(families))} families"
    printer.table(title, ("", "score", "NLL", "Brier", "ECE"), body)
    behind = {key: 100 * (row.scores.score - models[MAJORITY][key].scores.score) for key, row in ours.items()}
    for points in (1, 2):
        worse = [f"{ours[key].name} {value:+.1f}" for key, value in behind.items() if value < -points]
        named = f" ({', '.join(worse)})" if worse else ""
        printer.line(f"More than {points} below majority vote: {len(worse)} of {len(behind)}{named}.")
    printer.line()

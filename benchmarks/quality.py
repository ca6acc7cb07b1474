#!/usr/bin/env python
"""Label quality of the default model on real vote matrices with gold, beside peers.

    make bench-quality DATA=folder
    .venv/bin/python benchmarks/quality.py folder --resample 20 --peers-python peers/bin/python

Reads every archive in the folder's weak/ and crowd/: `votes` int [N, M] (-1 abstains), or `item`, `worker`, `label`
triples with `n_workers`; `gold` [N] (-1 unknown); `split` [N] (2: test); `n_classes`. Models see all items' votes and
never the gold; scores are on the test items where there are any, else on all items with gold.

score    F1 of class 1 on sets with a rare class (--f1), accuracy elsewhere; ties shared. "called" is the class that
         `predict` calls; "likeliest" the largest probability.
NLL      negative log-likelihood of the probabilities, clipped at 1e-6; Brier, ECE (15 bins): see weaklabel.analysis.

--resample R makes R problems out of each set: a random subset of at least 3 sources, and a bootstrap of the items, the
same for all models; printed are mean paired differences with 95 % intervals (normal, problems taken as independent).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
import reference

from weaklabel import LabelModel, MajorityVote, Votes
from weaklabel.analysis import evaluate

F1_SETS = {"sms", "spouse", "basketball"}
METRICS = ("score", "nll", "brier", "ece")


class Problem(NamedTuple):
    """Votes with gold."""

    group: str
    name: str
    votes: Votes
    gold: NDArray[np.int64]
    """[N], -1 where the item is not scored."""
    test: NDArray[np.bool_]
    """[N] whether the item is scored."""


class Outcome(NamedTuple):
    """What a model says: probabilities [N, K], and scores [N, K] whose largest is called, or None for the same."""

    probabilities: NDArray[Any]
    scores: NDArray[Any] | None


Model = Callable[[Votes], Outcome]


def ours(votes: Votes) -> Outcome:
    """The default model, no setting touched."""
    model = LabelModel(votes.n_classes).fit(votes)
    return Outcome(model.predict_proba(votes), model.decision_function(votes))


def majority(votes: Votes) -> Outcome:
    """Majority vote."""
    return Outcome(MajorityVote(votes.n_classes).predict_proba(votes), None)


def likeliest(probabilities: Callable[[Votes], NDArray[np.float64]]) -> Model:
    """A peer that calls the likeliest class."""
    return lambda votes: Outcome(probabilities(votes), None)


def read(path: Path, group: str) -> Problem:
    """One archive."""
    archive = np.load(path)
    gold, n_classes = archive["gold"].astype(np.int64), int(archive["n_classes"])
    if "votes" in archive:
        votes = Votes.from_dense(archive["votes"], n_classes)
    else:
        triples = (archive["item"], archive["worker"], archive["label"])
        n_sources = int(archive["n_workers"])
        votes = Votes.from_triples(*triples, n_classes=n_classes, n_items=len(gold), n_sources=n_sources)
    test = (archive["split"] == 2) & (gold >= 0)
    return Problem(group, path.stem, votes, gold, test if test.any() else gold >= 0)


def read_all(folder: Path) -> list[Problem]:
    """Every archive of the folder."""
    problems = [read(path, group) for group in ("weak", "crowd") for path in sorted((folder / group).glob("*.npz"))]
    if not problems:
        raise SystemExit(f"no archives in {folder}/weak or {folder}/crowd")
    return problems


def resample(problem: Problem, n: int) -> Iterator[Problem]:
    """Problems out of one: a random subset of at least 3 sources, and a bootstrap of the items."""
    n_sources = problem.votes.n_sources
    for replicate in range(n):
        rng = np.random.default_rng([zlib.crc32(problem.name.encode()), replicate])
        size = rng.integers(min(3, n_sources), n_sources + 1)
        names = [problem.votes.source_names[m] for m in np.sort(rng.choice(n_sources, size, replace=False))]
        items = rng.integers(0, problem.votes.n_items, problem.votes.n_items)
        if not problem.test[items].any():
            continue
        votes = problem.votes.select_sources(names).select_items(items)
        yield Problem(problem.group, f"{problem.name}#{replicate}", votes, problem.gold[items], problem.test[items])


def score(problem: Problem, outcome: Outcome) -> dict[str, float]:
    """The metrics of one model on one problem; "score" is of the predicted class."""
    rare = problem.name.split("#")[0] in F1_SETS
    gold = np.where(problem.test, problem.gold, -1)
    called = evaluate(outcome.probabilities, gold, positive=1 if rare else None, scores=outcome.scores)
    best = evaluate(outcome.probabilities, gold, positive=1 if rare else None)
    return {
        "score": called.accuracy if called.f1 is None else called.f1,
        "likeliest": best.accuracy if best.f1 is None else best.f1,
        "nll": called.nll,
        "brier": called.brier,
        "ece": called.ece,
    }


def read_peers(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Published figures, by peer and set."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["score"]:
                values = {metric: float(row[metric]) for metric in METRICS}
                figures.setdefault(row["peer"], {})[f"{row['group']}/{row['set']}"] = values
    return figures


def full(problems: list[Problem], peers: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """The full sets: prints the table, and returns the figures."""
    table: dict[str, dict[str, dict[str, float]]] = {"weaklabel": {}, "majority vote": {}}
    print(f"{'set':22}{'called':>8}{'likeliest':>11}{'NLL':>8}{'Brier':>8}{'ECE':>8}{'MV':>8}{'called - MV':>13}")
    for group in dict.fromkeys(problem.group for problem in problems):
        for problem in (problem for problem in problems if problem.group == group):
            key = f"{group}/{problem.name}"
            figures = table["weaklabel"][key] = score(problem, ours(problem.votes))
            baseline = table["majority vote"][key] = score(problem, majority(problem.votes))
            line = f"{100 * figures['score']:8.1f}{100 * figures['likeliest']:11.1f}{figures['nll']:8.3f}"
            line += f"{figures['brier']:8.3f}{figures['ece']:8.3f}{100 * baseline['score']:8.1f}"
            print(f"{key:22}{line}{100 * (figures['score'] - baseline['score']):13.1f}", flush=True)
        print(f"\nmeans over {group} (peers: on all of its sets only)")
        names = [f"{group}/{problem.name}" for problem in problems if problem.group == group]
        rows = {"weaklabel, predicted class": table["weaklabel"], "majority vote": table["majority vote"]} | peers
        means = {
            name: {metric: float(np.mean([sets[key][metric] for key in names])) for metric in METRICS}
            for name, sets in rows.items()
            if all(key in sets for key in names)
        }
        largest = np.mean([table["weaklabel"][key]["likeliest"] for key in names])
        ranked = sorted(means.items(), key=lambda entry: -entry[1]["score"])
        ranked.insert(0, ("weaklabel, likeliest", means["weaklabel, predicted class"] | {"score": float(largest)}))
        print(f"  {'':30}{'score':>8}{'NLL':>8}{'Brier':>8}{'ECE':>8}")
        for name, mean in ranked:
            print(f"  {name:30}{100 * mean['score']:8.1f}{mean['nll']:8.3f}{mean['brier']:8.3f}{mean['ece']:8.3f}")
        print()
    return table


def with_gold(problems: list[Problem], per_class: int, draws: int = 5) -> dict[str, Any]:
    """A few gold labels a class: prints means with and without, on the other items, and sets behind majority vote."""
    found: dict[str, Any] = {}
    for group in dict.fromkeys(problem.group for problem in problems):
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for problem in (problem for problem in problems if problem.group == group):
            plain = LabelModel(problem.votes.n_classes).fit(problem.votes)
            alone = Outcome(plain.predict_proba(problem.votes), plain.decision_function(problem.votes))
            runs = []
            for draw in range(draws):
                gold = draw_gold(problem, per_class, draw)
                rest = problem._replace(test=problem.test & (gold < 0))
                told = LabelModel(problem.votes.n_classes).fit(problem.votes, gold=gold)
                said = Outcome(told.predict_proba(problem.votes), told.decision_function(problem.votes))
                runs.append([score(rest, outcome) for outcome in (alone, said, majority(problem.votes))])
            names = ("votes alone", "with gold", "majority vote")
            rows[problem.name] = {
                name: {metric: float(np.mean([run[n][metric] for run in runs])) for metric in METRICS}
                for n, name in enumerate(names)
            }
        print(f"{group}: {per_class} gold labels a class, {draws} draws, on the other items")
        for name in ("votes alone", "with gold"):
            mean = {metric: np.mean([row[name][metric] for row in rows.values()]) for metric in METRICS}
            print(f"  {name:14}{100 * mean['score']:8.2f}{mean['nll']:8.3f}{mean['brier']:8.3f}{mean['ece']:8.3f}")
        behind = {
            name: round(100 * (row["with gold"]["score"] - row["majority vote"]["score"]), 1)
            for name, row in rows.items()
            if row["with gold"]["score"] < row["majority vote"]["score"] - 0.005
        }
        print(f"  more than .5 below majority vote: {behind or 'none'}")
        found[group] = rows
    return found


def draw_gold(problem: Problem, per_class: int, draw: int) -> NDArray[np.int64]:
    """[N] so many known labels of each class, -1 elsewhere."""
    rng = np.random.default_rng([zlib.crc32(problem.name.encode()), draw, per_class])
    gold = np.full(len(problem.gold), -1)
    for k in range(problem.votes.n_classes):
        chosen = rng.permutation(np.flatnonzero(problem.gold == k))[:per_class]
        gold[chosen] = k
    return gold


class Scoreboard:
    """Scores of peers on problems, kept in a file, since peers take long and do not change."""

    def __init__(self, path: Path, peers: dict[str, Model]) -> None:
        self._path, self._peers = path, peers
        self._known: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text()) if path.exists() else {}

    @property
    def names(self) -> list[str]:
        """The peers."""
        return list(self._peers)

    def score(self, name: str, problem: Problem) -> dict[str, float]:
        """Scores of one peer on one problem."""
        known = self._known.setdefault(name, {})
        if problem.name not in known:
            known[problem.name] = score(problem, self._peers[name](problem.votes))
        return known[problem.name]

    def save(self) -> None:
        """Writes the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._known))


def paired(problems: list[Problem], n: int, board: Scoreboard) -> dict[str, Any]:
    """The resampled problems: prints paired differences, and returns the figures."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    fits: dict[str, list[dict[str, Any]]] = {}
    for problem in problems:
        for variant in resample(problem, n):
            model = LabelModel(variant.votes.n_classes).fit(variant.votes)
            said = Outcome(model.predict_proba(variant.votes), model.decision_function(variant.votes))
            mine = score(variant, said)
            for name in board.names:
                theirs = board.score(name, variant)
                difference = {metric: mine[metric] - theirs[metric] for metric in METRICS}
                found.setdefault(problem.group, {}).setdefault(name, []).append(difference)
            behind = mine["score"] - board.score("majority vote", variant)["score"]
            told = {"risk": model.diagnostics.risk, "kinds": [finding.kind for finding in model.diagnostics.findings]}
            figures = {"guessed_share": model.diagnostics.guessed_share, "views": model.diagnostics.views}
            fits.setdefault(problem.group, []).append({"name": variant.name, "ahead": behind} | told | figures)
        board.save()
        print(f"  {problem.name}: {n} problems done", file=sys.stderr)
    summary: dict[str, Any] = {"fits": fits}
    for group, peers in found.items():
        bad = [fit for fit in fits[group] if fit["ahead"] < -0.01]
        flagged = sum(bool(fit["kinds"]) for fit in bad)
        everywhere = np.mean([bool(fit["kinds"]) for fit in fits[group]])
        expected = np.mean([fit["risk"] for fit in fits[group]])
        print(
            f"{group}: {len(fits[group])} problems; {100 * len(bad) / len(fits[group]):.1f} % more than 1 point below",
            end="",
        )
        print(f" majority vote (mean of the estimated risk {100 * expected:.1f} %);")
        print(f"  the diagnostics flagged {flagged} of these {len(bad)}, and {100 * everywhere:.0f} % of all")
        print(f"  {'weaklabel minus':24}{'score':>26}{'NLL':>27}{'ECE':>27}")
        for name, differences in peers.items():
            line = f"  {name:24}"
            for metric, factor in (("score", 100), ("nll", 1), ("ece", 1)):
                values = factor * np.array([difference[metric] for difference in differences])
                half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
                line += f"{values.mean():+9.3f} [{values.mean() - half:+.3f}, {values.mean() + half:+.3f}]"
                summary.setdefault(group, {}).setdefault(name, {})[metric] = (float(values.mean()), float(half))
            print(line)
    return summary


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with weak/ and crowd/")
    parser.add_argument(
        "--peers", type=Path, help="CSV of peers' figures (default: ../bench/quality.csv beside the data)"
    )
    parser.add_argument("--resample", type=int, default=0, metavar="R", help="problems to make out of each set")
    parser.add_argument("--gold", type=int, default=0, metavar="G", help="also fit with G gold labels a class")
    parser.add_argument("--peers-python", type=Path, help="python of an environment with snorkel, crowd-kit, hyperlm")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/quality.json"))
    arguments = parser.parse_args()
    problems = read_all(arguments.data)
    published = arguments.peers or arguments.data.parent / "bench" / "quality.csv"
    figures: dict[str, Any] = {"sets": full(problems, read_peers(published) if published.exists() else {})}
    if arguments.gold:
        figures["gold"] = with_gold(problems, arguments.gold)
    if arguments.resample:
        models: dict[str, Model] = {"majority vote": majority, "Dawid-Skene": likeliest(reference.dawid_skene)}
        if arguments.peers_python:
            for name in ("crowd-kit Dawid-Skene", "Snorkel", "hyper label model"):
                models[name] = likeliest(reference.peer(name, arguments.peers_python))
        board = Scoreboard(arguments.output.with_name("peers.json"), models)
        figures["resampled"] = paired(problems, arguments.resample, board)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=1))
    print(f"figures: {arguments.output}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Imprecise votes and side information: the fit that reads all of it beside fits that must drop what they cannot read.

    .venv/bin/python benchmarks/imprecise.py folder

Reads every archive in the folder's crowd/, as quality.py does, and turns its votes imprecise, seeded.

sets     every vote is widened, with probability .5, to a candidate set of 2: its class and another
not      half of the votes are replaced by three "not" votes each: three other classes, by three sources (K > 3)
all not  the same with all votes: nothing is left for a fit that reads plain votes only
gold     one item in ten has its label, drawn evenly; scores are on the others
mixed    a quarter of the votes widened, a quarter replaced, gold

A candidate set of 2 classes of 2 says nothing, so the first two and the last take sets with K > 3 only. Scores as in
quality.py.

functions  the folder's weak/: votes with probability .9 for their class, and half of them widened to sets of 2 (K > 2),
         beside the plain votes
shift    the items in five groups, each resampled to a balance drawn from a Dirichlet distribution (1, ..., 1): L1 error
         of the estimated balances, beside that of one balance for all
bags     class shares of bags of 50 items (drawn by chance) of product and rte
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from label_quality.problems import Problem, read_groups
from label_quality.scoring import Scores, score

from weaklabel import LabelModel, Votes
from weaklabel.side_information.bags import proportions
from weaklabel.votes.symbols import ImpreciseVote, not_, one_of, soft

METRICS = ("score", "nll")
SETTINGS = ("sets", "not", "all not", "gold", "mixed")
NOT_VOTES = 3
GOLD_SHARE = 0.1
N_GROUPS = 5
BAG_SIZE = 50


class Imprecise(NamedTuple):
    """A problem whose votes are imprecise, and what is left of it for those who read plain votes only."""

    mixed: Votes
    plain: Votes
    gold: NDArray[np.int64] | None
    problem: Problem
    """What is scored."""


def blur(problem: Problem, setting: str, draw: int) -> Imprecise:
    """The problem in one of SETTINGS."""
    rng = np.random.default_rng([zlib.crc32(problem.name.encode()), SETTINGS.index(setting), draw])
    k, votes = problem.votes.n_classes, problem.votes
    rows, sources, labels = (part.astype(np.int64) for part in votes.triples())
    widened = {"sets": 0.5, "mixed": 0.25}.get(setting, 0.0)
    replaced = {"not": 0.5, "all not": 1.0, "mixed": 0.25}.get(setting, 0.0)
    chance = rng.random(len(labels))
    is_set, is_not = chance < widened, chance >= 1 - replaced
    others = (labels[:, None] + 1 + np.argsort(rng.random((len(labels), k - 1)), axis=1)) % k
    pairs = list(combinations(range(k), 2))
    place = {pair: k + at for at, pair in enumerate(pairs)}
    codes = labels.copy()
    codes[is_set] = [place[min(pair), max(pair)] for pair in zip(labels[is_set], others[is_set, 0], strict=True)]
    symbols: list[ImpreciseVote] = [one_of(*pair) for pair in pairs] if k > 2 else []
    symbols += [not_(c) for c in range(k)] if replaced else []
    cells = [(rows[~is_not], sources[~is_not], codes[~is_not])]
    cells += [
        (rows[is_not], sources[is_not] + at * votes.n_sources, k + len(pairs) + others[is_not, at])
        for at in range(NOT_VOTES if replaced else 0)
    ]
    columns = (np.concatenate(part) for part in zip(*cells, strict=True))
    size: dict[str, Any] = {"n_classes": k, "n_items": votes.n_items}
    n_sources = votes.n_sources * (NOT_VOTES if replaced else 1)
    mixed = Votes.from_triples(*columns, **size, n_sources=n_sources, symbols=symbols)
    sharp = ~(is_set | is_not)
    plain = Votes.from_triples(rows[sharp], sources[sharp], labels[sharp], **size, n_sources=votes.n_sources)
    gold = None
    if setting in ("gold", "mixed"):
        known = (problem.gold >= 0) & (rng.random(votes.n_items) < GOLD_SHARE)
        gold = np.where(known, problem.gold, -1)
        problem = problem._replace(test=problem.test & ~known)
    return Imprecise(mixed, plain, gold, problem)


def soft_labels(votes: Votes, **side: Any) -> NDArray[np.float32]:
    """What a fit says of its own votes; gold is not given at prediction."""
    model = LabelModel(votes.n_classes).fit(votes, **side)
    side.pop("gold", None)
    return model.predict_proba(votes, **side)


def scored(problem: Problem, probabilities: NDArray[np.float32]) -> dict[str, float]:
    """METRICS on the items that are scored."""
    found: Scores = score(probabilities, np.where(problem.test, problem.gold, -1), rare=problem.rare)
    return {metric: getattr(found, metric) for metric in METRICS}


def compare(problems: list[Problem], draws: int, settings: list[str]) -> dict[str, Any]:
    """The mixed fits against those of what is left: prints set by set, and means."""
    found: dict[str, Any] = {}
    for setting in settings:
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for problem in problems:
            if setting != "gold" and problem.votes.n_classes <= NOT_VOTES:
                continue
            runs = []
            for draw in range(draws):
                case = blur(problem, setting, draw)
                told = soft_labels(case.mixed, gold=case.gold)
                runs.append([scored(case.problem, one) for one in (told, soft_labels(case.plain))])
            rows[problem.name] = {
                name: {metric: float(np.mean([run[at][metric] for run in runs])) for metric in METRICS}
                for at, name in enumerate(("mixed", "dropped"))
            }
            print(f"{setting:9}{problem.name:14}{_line(rows[problem.name])}", flush=True)
        means = {
            name: {metric: float(np.mean([row[name][metric] for row in rows.values()])) for metric in METRICS}
            for name in ("mixed", "dropped")
        }
        print(f"{setting:9}{'mean':14}{_line(means)}\n", flush=True)
        found[setting] = {"sets": rows, "mean": means}
    return found


def _line(row: dict[str, dict[str, float]]) -> str:
    return "".join(f"   {name} {100 * figures['score']:6.2f} {figures['nll']:6.3f}" for name, figures in row.items())


def of_functions(problems: list[Problem]) -> dict[str, Any]:
    """Fits of functions' votes that say less, beside that of the votes: prints set by set, and means."""
    found: dict[str, Any] = {}
    for problem in problems:
        rng = np.random.default_rng(zlib.crc32(problem.name.encode()))
        k, votes = problem.votes.n_classes, problem.votes
        rows, sources, labels = (part.astype(np.int64) for part in votes.triples())
        size: dict[str, Any] = {"n_classes": k, "n_items": votes.n_items, "n_sources": votes.n_sources}
        nearly = [soft([0.9 if c == vote else 0.1 / (k - 1) for c in range(k)]) for vote in range(k)]
        row = {
            "plain": scored(problem, soft_labels(votes)),
            "of .9": scored(
                problem, soft_labels(Votes.from_triples(rows, sources, k + labels, symbols=nearly, **size))
            ),
        }
        if k > 2:
            pairs = list(combinations(range(k), 2))
            place = {pair: k + at for at, pair in enumerate(pairs)}
            others = (labels + rng.integers(1, k, len(labels))) % k
            wide = [place[min(pair), max(pair)] for pair in zip(labels, others, strict=True)]
            codes = np.where(rng.random(len(labels)) < 0.5, wide, labels)
            symbols = [one_of(*pair) for pair in pairs]
            row["widened"] = scored(
                problem, soft_labels(Votes.from_triples(rows, sources, codes, symbols=symbols, **size))
            )
        found[problem.name] = row
        print(f"functions {problem.name:17}{_line(row)}", flush=True)
    for names in (("plain", "of .9"), ("plain", "of .9", "widened")):
        there = [row for row in found.values() if set(names) <= set(row)]
        means = {name: {m: float(np.mean([row[name][m] for row in there])) for m in METRICS} for name in names}
        print(f"functions {f'mean of {len(there)}':17}{_line(means)}\n", flush=True)
    return found


def shifted(problem: Problem, draw: int) -> tuple[Votes, NDArray[np.int64], NDArray[np.float64]]:
    """Votes of five groups with balances of their own, the group of each item, and the true balances [G, K]."""
    rng = np.random.default_rng([zlib.crc32(problem.name.encode()), draw, 7])
    k, known = problem.votes.n_classes, np.flatnonzero(problem.gold >= 0)
    part = rng.permutation(known) if len(known) >= N_GROUPS * 100 else np.tile(known, N_GROUPS)
    items, groups, balances = [], [], []
    for group, members in enumerate(np.array_split(part, N_GROUPS)):
        truth = problem.gold[members]
        there = np.bincount(truth, minlength=k) > 0
        wanted = np.where(there, rng.dirichlet(np.ones(k)), 0)
        share = (wanted / np.maximum(np.bincount(truth, minlength=k), 1))[truth]
        chosen = rng.choice(members, len(members), p=share / share.sum())
        items.append(chosen)
        groups.append(np.full(len(chosen), group))
        balances.append(np.bincount(problem.gold[chosen], minlength=k) / len(chosen))
    return problem.votes.select_items(np.concatenate(items)), np.concatenate(groups), np.stack(balances)


def label_shift(problems: list[Problem], draws: int) -> dict[str, Any]:
    """L1 errors of the balances of groups: of a balance each, of one for all, and of the vote shares of each."""
    found: dict[str, Any] = {}
    for problem in problems:
        runs = []
        for draw in range(draws):
            votes, groups, truth = shifted(problem, draw)
            apart = LabelModel(votes.n_classes).fit(votes, groups=groups).group_balance
            assert apart is not None
            shared = LabelModel(votes.n_classes).fit(votes).class_balance
            counts = votes.counts()
            shares = np.stack([counts[groups == g].sum(0) / counts[groups == g].sum() for g in range(N_GROUPS)])
            runs.append([np.abs(one - truth).sum(1).mean() for one in (apart, shared[None], shares)])
        found[problem.name] = dict(zip(("groups", "shared", "votes"), np.mean(runs, axis=0).tolist(), strict=True))
        line = "".join(f"{name:>9} {value:.3f}" for name, value in found[problem.name].items())
        ratio = found[problem.name]["groups"] / found[problem.name]["shared"]
        print(f"shift    {problem.name:14}{line}   ratio {ratio:.2f}", flush=True)
    means = {name: float(np.mean([row[name] for row in found.values()])) for name in ("groups", "shared", "votes")}
    print(f"shift    mean          {means}, ratio {means['groups'] / means['shared']:.2f}\n")
    return {"sets": found, "mean": means}


def bags_of(problem: Problem, draw: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The bag of each item with gold (-1 for others), and the class shares of each bag."""
    rng = np.random.default_rng([zlib.crc32(problem.name.encode()), draw, 9])
    order = rng.permutation(np.flatnonzero(problem.gold >= 0))
    bag_of = np.full(len(problem.gold), -1)
    bag_of[order] = np.arange(len(order)) // BAG_SIZE
    known, k = bag_of >= 0, problem.votes.n_classes
    counts = np.zeros((bag_of.max() + 1, k))
    np.add.at(counts, (bag_of[known], problem.gold[known]), 1)
    return bag_of, counts / counts.sum(1, keepdims=True)


def in_bags(problems: list[Problem], draws: int) -> dict[str, Any]:
    """Class shares of bags, beside votes alone."""
    found: dict[str, Any] = {}
    for problem in problems:
        runs = []
        alone = scored(problem, soft_labels(problem.votes))
        for draw in range(draws):
            bag_of, shares = bags_of(problem, draw)
            bags = proportions(shares, bag_of=bag_of)
            runs.append([scored(problem, soft_labels(problem.votes, bags=bags)), alone])
        found[problem.name] = {
            name: {metric: float(np.mean([run[at][metric] for run in runs])) for metric in METRICS}
            for at, name in enumerate(("bags", "votes alone"))
        }
        print(f"bags     {problem.name:14}{_line(found[problem.name])}", flush=True)
    return found


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with crowd/ and weak/")
    parser.add_argument("--draws", type=int, default=3, help="seeds to average over")
    parser.add_argument("--only", nargs="*", default=[*SETTINGS, "functions", "shift", "bags"], help="parts to run")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/imprecise.json"))
    arguments = parser.parse_args()
    problems = list(read_groups(arguments.data, ["crowd"]))
    chosen = [setting for setting in SETTINGS if setting in arguments.only]
    figures: dict[str, Any] = {"imprecise": compare(problems, arguments.draws, chosen)}
    if "functions" in arguments.only:
        figures["functions"] = of_functions(list(read_groups(arguments.data, ["weak"])))
    if "shift" in arguments.only:
        large = [problem for problem in problems if (problem.gold >= 0).sum() >= 400]
        figures["shift"] = label_shift(large, arguments.draws)
    if "bags" in arguments.only:
        figures["bags"] = in_bags([p for p in problems if p.name in ("product", "rte")], arguments.draws)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

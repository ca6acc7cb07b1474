"""Intervals from few known labels and all soft labels, beside those of the known labels alone: coverage and width.

    .venv/bin/python benchmarks/estimates.py ../data --groups llm --labels 20 50 100

Of each set with gold, items with a known label are kept, and a label model is fitted to the votes alone. Then some gold
is drawn at random, many times, and the values on all items are what intervals of 95 % should cover: the accuracy of
majority vote, of the model and of the source with most votes, the share of each class, the recall of the model, and by
how much the model is better than majority vote. Width is the ratio of mean widths to Wilson's interval of the known
labels alone.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from label_quality.problems import GROUPS, Problem, cut, generator, read_groups
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote
from weaklabel.analysis import Estimate, estimate_accuracy, estimate_balance, estimate_difference, estimate_rates

Labels = NDArray[np.int64]


def estimates(labelings: dict[str, Labels], soft: NDArray[np.float64], gold: Labels) -> dict[str, list[Estimate]]:
    """All estimates of a set, by what is estimated."""
    model, majority = labelings["model"], labelings["majority vote"]
    return {
        "accuracies": [estimate_accuracy(labels, soft, gold) for labels in labelings.values()],
        "class balance": estimate_balance(soft, gold),
        "recalls": [rates.recall for rates in estimate_rates(model, soft, gold)],
        "difference": [estimate_difference(model, majority, soft, gold)],
    }


def tally(problem: Problem, n_labels: int, n_draws: int) -> dict[str, NDArray[np.float64]]:
    """By what is estimated: how many intervals, how many cover, the sums of the widths, and of those of gold alone."""
    votes, truth = problem.votes, problem.gold
    model = LabelModel(votes.n_classes).fit(votes)
    busiest = votes.to_dense()[:, votes.coverage.argmax()].astype(np.int64)
    soft = np.asarray(model.predict_proba(votes), np.float64)
    labelings = {
        "majority vote": MajorityVote(votes.n_classes).fit(votes).predict(votes).astype(np.int64),
        "model": model.predict(votes).astype(np.int64),
        "busiest source": busiest,
    }
    true = estimates(labelings, np.full_like(soft, 1 / soft.shape[1]), truth)
    found: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
    for draw in range(n_draws):
        gold = np.full(len(truth), -1)
        chosen = generator("estimates", problem.key, n_labels, draw).choice(len(truth), n_labels, replace=False)
        gold[chosen] = truth[chosen]
        for name, some in estimates(labelings, soft, gold).items():
            for estimate, of_all in zip(some, true[name], strict=True):
                if np.isfinite(of_all.value) and estimate.n_labels:
                    covers = estimate.low - 1e-9 <= of_all.value <= estimate.high + 1e-9
                    alone = estimate.gold_only[1] - estimate.gold_only[0]
                    found[name] += [1, covers, estimate.width, alone]
    return found


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of groups of archives")
    parser.add_argument("--groups", nargs="+", default=[g for g in GROUPS if g != "partial"], choices=GROUPS)
    parser.add_argument("--labels", nargs="+", type=int, default=[20, 50, 100])
    parser.add_argument("--draws", type=int, default=100)
    arguments = parser.parse_args()
    print("group, labels | estimates: coverage of 95 %, worst set, width beside gold alone, widest set")
    for group in arguments.groups:
        problems = [cut(problem, 2000, with_gold=True) for problem in read_groups(arguments.data, [group])]
        for n_labels in arguments.labels:
            sets = [tally(p, n_labels, arguments.draws) for p in problems if p.votes.n_items >= 4 * n_labels]
            for name in dict.fromkeys(name for found in sets for name in found):
                each = np.stack([found[name] for found in sets if found[name][0]])
                covered, ratio = each[:, 1] / each[:, 0], each[:, 2] / np.maximum(each[:, 3], 1e-12)
                print(
                    f"{group}, {n_labels} | {name}: {covered.mean():.3f}, {covered.min():.3f}, {ratio.mean():.3f}, "
                    f"{ratio.max():.3f} ({len(each)} sets)",
                    flush=True,
                )


if __name__ == "__main__":
    main()

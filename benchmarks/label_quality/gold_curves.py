"""What gold labels buy: the model fitted with gold, beside simple methods that use the same labels."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array, hstack
from scipy.special import log_softmax, softmax

from label_quality.baselines import SHARES, smoothed_shares
from label_quality.problems import Problem, cut, generator
from label_quality.scoring import Scores, mean, score
from label_quality.tables import Printer, Row
from weaklabel import LabelModel, Votes

N_ITEMS = 2000
OURS, BEST_SOURCE, STACKER = "weaklabel", "best source", "stacker"
MODELS = (OURS, SHARES, BEST_SOURCE, STACKER)
MOST = 0.7
"""Share of a set's items that may be given as gold."""
Gold = NDArray[np.int64]


def with_gold(votes: Votes, gold: Gold) -> NDArray[Any]:
    """[N, K] of the default model, fitted with gold [N] (-1 unknown)."""
    return LabelModel(votes.n_classes).fit(votes, gold=gold).predict_proba(votes)


def best_source(votes: Votes, gold: Gold) -> NDArray[np.float64]:
    """[N, K] votes of one source: the one with the largest (right + 1)/(votes + 2) on gold.

    Its vote has that probability, the other classes share the rest; uniform where it is silent.
    """
    items, sources, labels = votes.triples()
    told = gold[items] >= 0
    n_told = np.bincount(sources[told], minlength=votes.n_sources)
    n_right = np.bincount(sources[told & (labels == gold[items])], minlength=votes.n_sources)
    accuracy = (n_right + 1) / (n_told + 2)
    best = int(accuracy.argmax())
    p = np.full((votes.n_items, votes.n_classes), 1 / votes.n_classes)
    mine = sources == best
    p[items[mine]] = (1 - accuracy[best]) / (votes.n_classes - 1)
    p[items[mine], labels[mine]] = accuracy[best]
    return p


def stacker(votes: Votes, gold: Gold, strength: float = 0.03) -> NDArray[np.float64]:
    """[N, K] of a multinomial logistic regression on one-hot votes and 3 log((V + 1/K)/(n + 1)).

    Minimises C times the sum of the losses plus half the squared weights, the intercept free, with C = `strength`.
    Classes that gold does not hold have probability 0, as in scikit-learn.
    """
    items, sources, labels = votes.triples()
    cells = (items, sources.astype(np.int64) * votes.n_classes + labels)
    one_hot = csr_array((np.ones(len(items)), cells), shape=(votes.n_items, votes.n_sources * votes.n_classes))
    inputs = csr_array(hstack([one_hot, csr_array(3 * np.log(smoothed_shares(votes)))]))
    told = np.flatnonzero(gold >= 0)
    classes, target = np.unique(gold[told], return_inverse=True)
    p = np.zeros((votes.n_items, votes.n_classes))
    if len(classes) == 1:
        p[:, classes[0]] = 1
        return p
    used = np.flatnonzero(abs(inputs[told]).sum(0))  # the penalty holds the weights of the others at 0
    inputs = inputs[:, used]
    weights, intercept = _softmax_regression(inputs[told], np.eye(len(classes))[target], strength)
    p[:, classes] = softmax(inputs @ weights + intercept, axis=1)
    return p


def _softmax_regression(
    inputs: csr_array, target: NDArray[np.float64], strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [D, K] and intercept [K]."""
    n_inputs, n_classes = inputs.shape[1], target.shape[1]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, intercept = flat[:-n_classes].reshape(n_inputs, n_classes), flat[-n_classes:]
        log_p = log_softmax(inputs @ weights + intercept, axis=1)
        residual = strength * (np.exp(log_p) - target)
        slope = inputs.T @ residual + weights
        value = -strength * (target * log_p).sum() + 0.5 * (weights**2).sum()
        return float(value), np.concatenate([slope.ravel(), residual.sum(0)])

    found = minimize(objective, np.zeros((n_inputs + 1) * n_classes), jac=True, method="L-BFGS-B").x
    return found[:-n_classes].reshape(n_inputs, n_classes), found[-n_classes:]


def draw_gold(problem: Problem, n_gold: int, draw: int) -> Gold:
    """[N] so many known labels drawn at random, -1 elsewhere. Larger numbers hold those of smaller ones."""
    order = generator("gold", problem.key, draw).permutation(problem.votes.n_items)
    gold = np.full(problem.votes.n_items, -1)
    gold[order[:n_gold]] = problem.gold[order[:n_gold]]
    return gold


def gold_curve(problem: Problem, numbers: list[int], n_draws: int, n_items: int) -> list[Row]:
    """Scores (accuracy on all sets) of a set's curve, on the items without gold."""
    problem = cut(problem, n_items, with_gold=True)
    shares = smoothed_shares(problem.votes)
    rows = []
    for n_gold in numbers:
        if n_gold > MOST * problem.votes.n_items:
            continue
        for draw in range(n_draws if n_gold else 1):
            gold = draw_gold(problem, n_gold, draw)
            rest = np.where(gold < 0, problem.gold, -1)
            said = {OURS: with_gold(problem.votes, gold), SHARES: shares}
            if n_gold:
                said |= {BEST_SOURCE: best_source(problem.votes, gold), STACKER: stacker(problem.votes, gold)}
            for name, p in said.items():
                rows.append(Row(problem.group, problem.name, problem.family, name, score(p, rest), n_gold, draw))
    return rows


def gold_curves(problems: list[Problem], numbers: list[int], n_draws: int, n_items: int, printer: Printer) -> list[Row]:
    """Curves of all sets of plain votes; 0 gold labels come first."""
    rows: list[Row] = []
    for group in dict.fromkeys(problem.group for problem in problems if problem.votes.is_plain):
        found: list[Row] = []
        for problem in (problem for problem in problems if problem.group == group):
            found += gold_curve(problem, sorted({0, *numbers}), n_draws, n_items)
            print(f"  {problem.key}: done", file=sys.stderr)
        _print_group(printer, group, found, n_draws)
        rows += found
    return rows


def _print_group(printer: Printer, group: str, rows: list[Row], n_draws: int) -> None:
    """Curves of the sets and their means, and how far a set ends behind the best of the simple methods."""
    numbers = sorted({row.n_gold for row in rows})
    by_set: dict[tuple[str, int, str], list[Scores]] = {}
    for row in rows:
        by_set.setdefault((row.name, row.n_gold, row.model), []).append(row.scores)
    means = {key: mean(scores) for key, scores in by_set.items()}
    sets = list(dict.fromkeys(row.name for row in rows))
    header = ("set", *(f"{n} gold" for n in numbers))

    def cell(name: str, n: int) -> str:
        found = means.get((name, n, OURS))
        return f"{100 * found.score:.1f} / {found.nll:.3f} / {found.ece:.3f}" if found else "-"

    body = [[name, *(cell(name, n) for n in numbers)] for name in sets]
    printer.table(f"{group}: accuracy / NLL / ECE of weaklabel with gold, {n_draws} draws, on the rest", header, body)

    body = []
    for model in MODELS:
        body.append([model])
        for n in numbers:
            known = [means[name, n, model] for name in sets if (name, n, model) in means]
            if known:
                average = mean(known)
                body[-1].append(f"{100 * average.score:.1f} / {average.nll:.3f} / {average.ece:.3f}")
            else:
                body[-1].append("-")
    body.append(["sets", *(str(sum((name, n, OURS) in means for name in sets)) for n in numbers)])
    printer.table(f"{group}: means over the sets that have so many items", header, body)
    for n in numbers[1:] if numbers and numbers[0] == 0 else numbers:
        behind = {}
        for name in sets:
            if (name, n, OURS) in means:
                best = max(means[name, n, model].score for model in MODELS[1:])
                behind[name] = 100 * (means[name, n, OURS].score - best)
        worse = [f"{name} {value:+.1f}" for name, value in behind.items() if value < -1.5]
        named = f" ({', '.join(worse)})" if worse else ""
        told = f"more than 1.5 points behind the best of the other three on {len(worse)} of {len(behind)} sets"
        printer.line(f"{n} gold: {told}{named}.")
    printer.line()

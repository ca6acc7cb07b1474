"""Simulated families: votes drawn from known parameters, and the posterior under them (Bayes).

Every family but one is a panel: sources hang on hidden answers, each drawn from the truth by a confusion matrix, and
repeat their answer or, at a rate, say something at random. An independent source is alone with its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from label_quality.problems import Problem, generator
from weaklabel import Votes

Array = NDArray[np.float64]
TINY = 1e-300


class Answer(NamedTuple):
    """A hidden answer to each item, and the sources that repeat it."""

    confusion: Array
    """[K, S] P(answer | class); S is K, or K + 1 where the last symbol is silence."""
    n_sources: int = 1
    noise: float = 0.0
    """Rate at which a source says a symbol at random instead."""


class Draw(NamedTuple):
    """Votes and what they were drawn from."""

    votes: NDArray[np.int64]
    """[N, M], -1 silent."""
    truth: NDArray[np.int64]
    bayes: Array
    """[N, K] posterior under the true parameters."""


def choose(rng: np.random.Generator, probabilities: Array) -> NDArray[np.int64]:
    """[N] one index a row of `probabilities` [N, S]."""
    below = rng.random(len(probabilities))[:, None] >= probabilities.cumsum(1)
    found: NDArray[np.int64] = np.minimum(below.sum(1), probabilities.shape[1] - 1)
    return found


def draw_panel(rng: np.random.Generator, n_items: int, balance: Array, answers: list[Answer], coverage: Array) -> Draw:
    """Votes of a panel. `coverage` [N, M] or what broadcasts to it: probability that a source is asked."""
    truth = choose(rng, np.tile(balance, (n_items, 1)))
    n_sources = sum(answer.n_sources for answer in answers)
    asked = rng.random((n_items, n_sources)) < coverage
    columns: list[NDArray[np.int64]] = []
    log_joint = np.tile(np.log(balance), (n_items, 1))
    for answer in answers:
        n_symbols = answer.confusion.shape[1]
        hidden = choose(rng, answer.confusion[truth])
        log_said = np.zeros((n_items, n_symbols))  # log P(what its sources say | hidden answer)
        for _ in range(answer.n_sources):
            noisy = rng.random(n_items) < answer.noise
            said = np.where(noisy, rng.integers(0, n_symbols, n_items), hidden)
            heard = asked[:, len(columns)]
            repeats = np.eye(n_symbols)[said] * (1 - answer.noise) + answer.noise / n_symbols
            log_said[heard] += np.log(np.maximum(repeats[heard], TINY))
            columns.append(np.where(heard & (said < len(balance)), said, -1))
        highest = log_said.max(1, keepdims=True)
        log_joint += highest + np.log(np.maximum(np.exp(log_said - highest) @ answer.confusion.T, TINY))
    return Draw(np.stack(columns, axis=1), truth, softmax(log_joint, axis=1))


def confusion(rng: np.random.Generator, n_classes: int, accuracy: float, *, one_coin: bool = False) -> Array:
    """[K, K] of one accuracy in all classes; errors fall on the others evenly, or by a Dirichlet draw of 2 each."""
    matrix = np.zeros((n_classes, n_classes))
    for k in range(n_classes):
        others = np.full(n_classes - 1, 1 / (n_classes - 1)) if one_coin else rng.dirichlet(np.full(n_classes - 1, 2.0))
        matrix[k] = np.insert((1 - accuracy) * others, k, accuracy)
    return matrix


def panel(rng: np.random.Generator, n_classes: int, accuracies: Array) -> list[Answer]:
    """Independent sources."""
    return [Answer(confusion(rng, n_classes, accuracy)) for accuracy in accuracies]


EVERYWHERE = np.array(1.0)


def independent(seed: int, n_items: int) -> Draw:
    """Independent sources of accuracies .55 to .9; K of 2, 3, 4, 6 by M of 3, 6, 12."""
    n_classes, n_sources = (2, 3, 4, 6)[seed // 3], (3, 6, 12)[seed % 3]
    rng = generator("independent", seed)
    answers = panel(rng, n_classes, rng.uniform(0.55, 0.9, n_sources))
    balance = rng.dirichlet(np.full(n_classes, 8.0))
    return draw_panel(rng, n_items, balance, answers, np.array(1.0 if n_sources == 3 else 0.7))


def three_annotators(seed: int, n_items: int) -> Draw:
    """Three annotators who are right on 80 % of the items; two classes."""
    rng = generator("three annotators", seed)
    return draw_panel(rng, n_items, np.full(2, 0.5), panel(rng, 2, np.full(3, 0.8)), EVERYWHERE)


def rare_class(seed: int, n_items: int) -> Draw:
    """Class 1 is .3 to 3 % of the items; five sources (the last two sets: three) that see all of them."""
    share, n_sources = ((0.003, 5), (0.006, 5), (0.01, 5), (0.03, 5), (0.01, 3), (0.03, 3))[seed]
    rng = generator("rare class", seed)
    answers = []
    for _ in range(n_sources):
        found, spared = rng.uniform(0.7, 0.95), rng.uniform(0.98, 0.999)
        answers.append(Answer(np.array([[spared, 1 - spared], [1 - found, found]])))
    return draw_panel(rng, n_items, np.array([1 - share, share]), answers, EVERYWHERE)


def _with_cluster(kind: str, seed: int, n_items: int, cluster: int, noise: float) -> Draw:
    """Six independent sources, and a weak one (60 %) that a cluster of sources repeats."""
    n_classes, rng = 2 + seed % 2, generator(kind, seed)
    answers = panel(rng, n_classes, np.linspace(0.66, 0.8, 6))
    answers.append(Answer(confusion(rng, n_classes, 0.6), cluster, noise))
    return draw_panel(rng, n_items, np.full(n_classes, 1 / n_classes), answers, EVERYWHERE)


def near_copies(seed: int, n_items: int) -> Draw:
    """Six independent sources, and three that repeat a weak one on nine items of ten."""
    return _with_cluster("near copies", seed, n_items, 3, 0.1)


def exact_copies(seed: int, n_items: int) -> Draw:
    """Six independent sources, and a weak one four times."""
    return _with_cluster("exact copies", seed, n_items, 4, 0.0)


def prompts(seed: int, n_items: int) -> Draw:
    """Prompts of five models: as many of each, or (every other set) from one to eight."""
    n_classes, rng = 2 + seed // 2 % 2, generator("prompts", seed)
    sizes = (5, 5, 5, 5, 5) if seed % 2 == 0 else (1, 2, 8, 4, 1)
    accuracies = rng.uniform(0.62, 0.82, 5)
    answers = [Answer(confusion(rng, n_classes, a), n, 0.1) for a, n in zip(accuracies, sizes, strict=True)]
    return draw_panel(rng, n_items, np.full(n_classes, 1 / n_classes), answers, EVERYWHERE)


def constant_source(seed: int, n_items: int) -> Draw:
    """Six independent sources, and one that says class 0 of every item."""
    n_classes, rng = 2 + seed % 2, generator("constant source", seed)
    answers = panel(rng, n_classes, np.linspace(0.66, 0.8, 6))
    answers.append(Answer(np.tile(np.eye(n_classes)[0], (n_classes, 1))))
    return draw_panel(rng, n_items, np.full(n_classes, 1 / n_classes), answers, EVERYWHERE)


def adversaries(seed: int, n_items: int) -> Draw:
    """A third of the sources is right on 25 % of the items, the others on 65 to 85 %; nine sources, or one of three."""
    n_sources, rng = (9, 3)[seed % 2], generator("adversaries", seed)
    accuracies = rng.uniform(0.65, 0.85, n_sources)
    accuracies[: n_sources // 3] = 0.25
    return draw_panel(rng, n_items, np.full(2, 0.5), panel(rng, 2, accuracies), EVERYWHERE)


def unipolar(seed: int, n_items: int) -> Draw:
    """Labeling functions: each says one class or is silent, 10 or 12 of them; silence tells something."""
    n_classes, rng = (2, 4)[seed % 2], generator("unipolar", seed)
    balance = rng.dirichlet(np.full(n_classes, 8.0))
    answers = []
    for m in range(10 if n_classes == 2 else 12):
        k, recall, precision = m % n_classes, rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.95)
        false_alarms = min(recall * balance[k] * (1 - precision) / precision / (1 - balance[k]), 0.9)
        fires = np.where(np.arange(n_classes) == k, recall, false_alarms)
        matrix = np.zeros((n_classes, n_classes + 1))
        matrix[:, k], matrix[:, n_classes] = fires, 1 - fires
        answers.append(Answer(matrix))
    return draw_panel(rng, n_items, balance, answers, EVERYWHERE)


def many_classes(seed: int, n_items: int) -> Draw:
    """50 or 100 classes, ten one-coin sources of accuracies .3 to .7, four votes an item."""
    n_classes, rng = (50, 100)[seed % 2], generator("many classes", seed)
    answers = [Answer(confusion(rng, n_classes, a, one_coin=True)) for a in rng.uniform(0.3, 0.7, 10)]
    asked = rng.random((n_items, 10)).argsort(1) < 4
    return draw_panel(rng, n_items, np.full(n_classes, 1 / n_classes), answers, asked.astype(float))


def common_errors(seed: int, n_items: int) -> Draw:
    """A quarter of the items is a trap: one wrong class that every source falls for on 60 % of the traps."""
    trapped, falls = 0.25, 0.6
    n_classes, rng = 2 + seed % 2, generator("common errors", seed)
    matrices = [confusion(rng, n_classes, accuracy) for accuracy in rng.uniform(0.65, 0.9, 8)]
    balance = np.full(n_classes, 1 / n_classes)
    truth = choose(rng, np.tile(balance, (n_items, 1)))
    trap = (truth + rng.integers(1, n_classes, n_items)) % n_classes
    caught = rng.random(n_items) < trapped
    votes = np.stack([choose(rng, matrix[truth]) for matrix in matrices], axis=1)
    votes = np.where(caught[:, None] & (rng.random(votes.shape) < falls), trap[:, None], votes)
    log_free = np.stack([np.log(m[:, votes[:, j]].T) for j, m in enumerate(matrices)])  # [M, N, K]
    log_joint = np.log(1 - trapped) + log_free.sum(0)
    for wrong in range(n_classes):
        into = np.equal(votes.T, wrong)[:, :, None]
        log_caught = np.log((1 - falls) * np.exp(log_free) + falls * into).sum(0)
        log_caught += np.log(trapped / (n_classes - 1))
        log_caught[:, wrong] = -np.inf  # the trap is a wrong class
        log_joint = np.logaddexp(log_joint, log_caught)
    return Draw(votes, truth, np.exp(log_softmax(log_joint, axis=1)))


class Family(NamedTuple):
    """How to draw a family of sets."""

    draw: Callable[[int, int], Draw]
    """Takes a seed and the number of items."""
    n_sets: int
    n_items: int
    rare: bool = False


FAMILIES: dict[str, Family] = {
    "independent": Family(independent, 12, 2000),
    "three annotators": Family(three_annotators, 3, 5000),
    "rare class": Family(rare_class, 6, 10_000, rare=True),
    "near copies": Family(near_copies, 4, 2000),
    "exact copies": Family(exact_copies, 4, 2000),
    "prompts": Family(prompts, 4, 2000),
    "constant source": Family(constant_source, 4, 2000),
    "adversaries": Family(adversaries, 4, 2000),
    "unipolar": Family(unipolar, 4, 4000),
    "many classes": Family(many_classes, 4, 4000),
    "common errors": Family(common_errors, 4, 2000),
}


def simulate(n_sets: int | None = None) -> Iterator[Problem]:
    """All families; at most so many sets of each."""
    for kind, family in FAMILIES.items():
        for seed in range(family.n_sets if n_sets is None else min(n_sets, family.n_sets)):
            yield problem(kind, seed, family.n_items)


def problem(kind: str, seed: int, n_items: int) -> Problem:
    """One set of a family."""
    drawn = FAMILIES[kind].draw(seed, n_items)
    votes: Any = drawn.votes
    return Problem(
        group="simulated",
        name=f"{kind} {seed}",
        family=kind,
        votes=Votes.from_dense(votes, drawn.bayes.shape[1]),
        gold=drawn.truth,
        test=np.ones(n_items, bool),
        rare=FAMILIES[kind].rare,
        bayes=drawn.bayes,
    )

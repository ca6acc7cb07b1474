"""Votes simulated on real texts: functions of their words, and sources that know the class only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from label_quality.problems import Problem, generator
from weaklabel import Votes

LABELED = 200
"""Texts from which the error that judges share is learned."""


def simulated_on(problem: Problem, words: sp.csr_array, embedding: NDArray[np.float32]) -> Iterator[Problem]:
    """Four kinds of votes on the texts of a problem.

    words: 60 functions, each of which looks for a word and votes for the class that it is likelier in.
    unipolar: 15 functions, each of which votes for one class, on items that are drawn given the class.
    annotators: five, right on 60 to 80 %, each on 70 % of the items.
    judges: five, who give on every other item the answer of one classifier learned from 200 texts.
    """
    gold, n_classes = problem.gold, problem.votes.n_classes
    votes = {
        "words": _words(generator("words", problem.name), gold, n_classes, words),
        "unipolar": _unipolar(generator("unipolar", problem.name), gold, n_classes),
        "annotators": _annotators(generator("annotators", problem.name), gold, n_classes),
        "judges": _judges(generator("judges", problem.name), gold, n_classes, embedding),
    }
    for name, matrix in votes.items():
        yield problem._replace(
            group="simulated",
            name=f"{problem.name}_{name}",
            family=name,
            votes=Votes.from_dense(matrix, n_classes),
            test=np.ones(len(gold), bool),
        )


def _words(
    rng: np.random.Generator, gold: NDArray[np.int64], n_classes: int, words: sp.csr_array, n_functions: int = 60
) -> NDArray[np.int64]:
    holds = (words > 0).tocsc()
    share = np.asarray(holds.sum(0)).ravel() / len(gold)
    balance = np.bincount(gold, minlength=n_classes) / len(gold)
    votes, found = np.full((len(gold), n_functions), -1), 0
    for word in rng.permutation(np.flatnonzero((share >= 0.001) & (share <= 0.08))):
        items = holds.indices[holds.indptr[word] : holds.indptr[word + 1]]
        of_word = np.bincount(gold[items], minlength=n_classes) / len(items)
        best = int((of_word - balance).argmax())
        if found < n_functions and of_word[best] >= max(0.5, balance[best] + 0.1):
            votes[items, found] = best
            found += 1
    return votes[:, :found]


def _unipolar(rng: np.random.Generator, gold: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    votes = np.full((len(gold), 15), -1)
    for source in range(15):
        of_class = gold == source % n_classes
        hit, precision = rng.uniform(0.1, 0.4), rng.uniform(0.65, 0.9)
        miss = hit * of_class.mean() * (1 - precision) / precision / (1 - of_class.mean())
        votes[rng.random(len(gold)) < np.where(of_class, hit, miss), source] = source % n_classes
    return votes


def _annotators(rng: np.random.Generator, gold: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    votes = np.stack([_noisy(rng, gold, n_classes, rng.uniform(0.6, 0.8)) for _ in range(5)], 1)
    return np.where(rng.random(votes.shape) < 0.7, votes, -1)


def _judges(
    rng: np.random.Generator, gold: NDArray[np.int64], n_classes: int, embedding: NDArray[np.float32]
) -> NDArray[np.int64]:
    some = rng.permutation(len(gold))[:LABELED]
    scaled = embedding / embedding.std()
    shared = LogisticRegression(max_iter=1000).fit(scaled[some], gold[some]).predict(scaled)
    own = np.stack([_noisy(rng, gold, n_classes, 0.75) for _ in range(5)], 1)
    return np.where(rng.random(own.shape) < 0.5, shared[:, None], own)


def _noisy(rng: np.random.Generator, gold: NDArray[np.int64], n_classes: int, accuracy: float) -> NDArray[np.int64]:
    wrong = (gold + rng.integers(1, n_classes, len(gold))) % n_classes
    return np.where(rng.random(len(gold)) < accuracy, gold, wrong)

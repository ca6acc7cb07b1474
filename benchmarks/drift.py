"""Skills that change over time, on simulated votes: negative log-likelihood, jumps found, and cost beside a plain fit.

    python benchmarks/drift.py [seeds] [--cost]

Columns: the plain fit; a fit with times; the stream, in which each block is given to `partial_fit`, then predicted, so
that it is read by the past and its own votes, after a first call with a fifth of the items; and Bayes' rule with the
true skills. The constants of weaklabel/model/drift were fixed on three seeds of the first family, with 40 blocks and
steps of .25, and PARTS and TURNS on one of them: "first" is in sample. The others were drawn up afterwards; no constant
was changed for them, but the rule that the lesser doubt counts was made after the second was seen.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes


class Family(NamedTuple):
    """How votes are drawn."""

    sources: int = 10
    classes: int = 2
    blocks: int = 20
    block_items: int = 200
    low: float = 0.6
    high: float = 0.95
    step: float = 0.12
    """Standard deviation of the log-odds of a skill from block to block, of "walk"."""
    jumps: int = 3
    """Sources that jump once, to an accuracy between .3 and .6, of "jump"."""
    coverage: float = 1.0


FAMILIES = {
    "first": Family(),
    "three classes, half silent": Family(classes=3, coverage=0.5, sources=12),
    "slow walk, few jumps": Family(step=0.05, jumps=1, blocks=40, block_items=250),
    "fast walk, many jumps": Family(step=0.3, jumps=5, blocks=30, block_items=150),
    "five good sources": Family(sources=5, low=0.75, high=0.95, jumps=1, block_items=400),
    "forty annotators, five votes": Family(sources=40, coverage=0.125, jumps=10, block_items=300),
}


class Drawn(NamedTuple):
    """Simulated items."""

    votes: NDArray[np.int64]
    truth: NDArray[np.int64]
    block: NDArray[np.int64]
    skill: NDArray[np.float64]
    """[blocks, sources]"""
    jumped: set[tuple[int, int]]
    """Source and block."""


def draw(family: Family, kind: str, seed: int) -> Drawn:
    """Items of "none", "walk" or "jump"."""
    rng = np.random.default_rng((seed, len(kind)))
    n_items = family.blocks * family.block_items
    start = rng.uniform(family.low, family.high, family.sources)
    odds = np.repeat(np.log(start / (1 - start))[None], family.blocks, 0)
    if kind == "walk":
        odds[1:] += rng.normal(0, family.step, (family.blocks - 1, family.sources)).cumsum(0)
    skill = np.clip(1 / (1 + np.exp(-odds)), 0.02, 0.98)
    jumped = set()
    if kind == "jump":
        for source in rng.choice(family.sources, family.jumps, replace=False).tolist():
            at = int(rng.integers(family.blocks // 4, 3 * family.blocks // 4))
            skill[at:, source] = rng.uniform(0.3, 0.6)
            jumped.add((source, at))
    block = np.repeat(np.arange(family.blocks), family.block_items)
    truth = rng.integers(0, family.classes, n_items)
    right = rng.random((n_items, family.sources)) < skill[block]
    wrong = (truth[:, None] + rng.integers(1, family.classes, right.shape)) % family.classes
    votes = np.where(right, truth[:, None], wrong)
    votes[rng.random(votes.shape) >= family.coverage] = -1
    return Drawn(votes, truth, block, skill, jumped)


def nll(proba: NDArray[np.floating], truth: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood, in nats."""
    return float(-np.log(np.clip(proba[np.arange(len(truth)), truth], 1e-6, 1)).mean())


def bayes(drawn: Drawn, n_classes: int) -> NDArray[np.float64]:
    """[N, K] posterior by the true skills."""
    skill = drawn.skill[drawn.block]
    log_odds = np.log(skill) - np.log((1 - skill) / (n_classes - 1))
    total = np.stack([(log_odds * (drawn.votes == k)).sum(1) for k in range(n_classes)], axis=1)
    proba = np.exp(total - total.max(1, keepdims=True))
    return np.asarray(proba / proba.sum(1, keepdims=True))


def stream(drawn: Drawn, family: Family) -> tuple[NDArray[np.float32], LabelModel]:
    """Soft labels of each block when it has come in, and the model at the end."""
    model, soft = LabelModel(family.classes), np.empty((len(drawn.truth), family.classes), np.float32)
    first = family.blocks // 5
    for at in [range(first), *([block] for block in range(first, family.blocks))]:
        here = np.isin(drawn.block, list(at))
        model.partial_fit(drawn.votes[here], times=drawn.block[here])
        soft[here] = model.predict_proba(drawn.votes[here], times=drawn.block[here])
    return soft, model


def table(seeds: int) -> None:
    """Prints the figures of all families."""
    print("family | kind | plain | fit(times) | stream | Bayes | jumps: drawn, told, told of those drawn")
    for name, family in FAMILIES.items():
        for kind in ("none", "walk", "jump"):
            rows = []
            for seed in range(seeds):
                drawn = draw(family, kind, seed)
                plain = LabelModel(family.classes).fit(drawn.votes).predict_proba(drawn.votes)
                model = LabelModel(family.classes).fit(drawn.votes, times=drawn.block)
                told = [(int(jump.source.removeprefix("source_")), float(jump.time)) for jump in model.skill_jumps]
                near = {one for one in drawn.jumped if any(one[0] == s and abs(t + 0.5 - one[1]) <= 2 for s, t in told)}
                row = [nll(plain, drawn.truth), nll(model.predict_proba(drawn.votes, times=drawn.block), drawn.truth)]
                row += [nll(stream(drawn, family)[0], drawn.truth), nll(bayes(drawn, family.classes), drawn.truth)]
                rows.append([*row, len(drawn.jumped), len(told), len(near)])
            mean = np.mean(rows, axis=0)
            figures = " | ".join(f"{value:.4f}" for value in mean[:4])
            print(f"{name} | {kind} | {figures} | " + ", ".join(f"{value:.1f}" for value in mean[4:]), flush=True)


def cost() -> None:
    """Prints the time of a warm fit to a million items of ten sources, plain and with times."""
    for kind in ("none", "jump"):
        drawn = draw(Family(blocks=50, block_items=20_000), kind, 0)
        votes = Votes.from_dense(drawn.votes, 2)
        for what, times in (("plain", None), ("times", drawn.block)):
            taken = []
            for _ in range(3):
                began = time.perf_counter()
                model = LabelModel(2).fit(votes, times=times)
                fitted = time.perf_counter()
                proba = model.predict_proba(votes, times=times)
                taken.append((fitted - began, time.perf_counter() - fitted))
            fit, predict = np.min(taken[1:], axis=0)
            print(f"1,000,000 x 10, {kind}, {what}: fit {fit:.2f} s, predict {predict:.2f} s, ", end="")
            print(f"NLL {nll(proba, drawn.truth):.4f}", flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("seeds", type=int, nargs="?", default=5)
    parser.add_argument("--cost", action="store_true", help="time a million items, in place of the tables")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.cost:
        cost()
    else:
        table(arguments.seeds)


if __name__ == "__main__":
    main()

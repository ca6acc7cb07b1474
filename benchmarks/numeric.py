#!/usr/bin/env python
"""Numbers as votes: errors, CRPS and coverage of NumericModel beside means, medians and CATD.

    .venv/bin/python benchmarks/numeric.py folder

Reads every archive in the folder's numeric/: `item`, `worker`, `value` [J], `gold` [N]. Fits all votes without gold,
and with a few gold values, of which twenty draws are averaged; scores the items whose gold was not given. A set that is
not there is skipped. CATD: Li et al. 2014, doi:10.14778/2735496.2735505.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from weaklabel import NumericModel
from weaklabel.kinds.numbers import NumericDistribution
from weaklabel.kinds.numbers.scores import numeric_scores

METRICS = ("mae", "crps", "coverage", "bias")
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]
NORMAL = 1e6
"""Degrees of freedom that make the t distribution a normal one."""


def mean_with_error(item: Whole, value: Numbers, common: float) -> NumericDistribution:
    """Mean of the votes, and variance s^2 (1/n + c)."""
    count = np.bincount(item)
    mean = np.bincount(item, value) / count
    variance = np.bincount(item, (value - mean[item]) ** 2) / np.maximum(count - 1, 1)
    return NumericDistribution(mean, np.sqrt(variance * (1 / count + common) + 1e-6), NORMAL)


def medians(item: Whole, value: Numbers) -> Numbers:
    """[N] medians of the items."""
    return np.array([np.median(value[item == one]) for one in range(item.max() + 1)])


def catd(item: Whole, source: Whole, value: Numbers) -> Numbers:
    """Weights by the upper confidence limit of each source's variance; from medians, a hundred rounds."""
    truth, count = medians(item, value), np.bincount(source)
    quantile = chdtri(np.maximum(count, 1), 0.975)
    for _ in range(100):
        squares = np.bincount(source, (value - truth[item]) ** 2)
        weight = (quantile / np.maximum(squares, 1e-9))[source]
        truth = np.bincount(item, weight * value) / np.bincount(item, weight)
    return truth


def rows(item: Whole, source: Whole, value: Numbers, gold: Numbers, draws: int) -> dict[str, dict[str, float]]:
    """Scores by method."""
    found: dict[str, dict[str, float]] = {}
    for common in (0.0, 0.35):
        found[f"mean, c = {common}"] = numeric_scores(mean_with_error(item, value, common), gold, METRICS)
    for name, point in (("median", medians(item, value)), ("CATD", catd(item, source, value))):
        found[name] = {"mae": float(np.abs(point - gold).mean()), "bias": float((point - gold).mean())}
    found["NumericModel"] = (
        NumericModel().fit(item, source, value).score(item, gold, source=source, value=value, metrics=METRICS)
    )
    for n_gold in (5, 20):
        scores = []
        for seed in range(draws):
            told = np.random.default_rng(seed).choice(len(gold), n_gold, replace=False)
            known, held = np.full(len(gold), np.nan), gold.copy()
            known[told], held[told] = gold[told], np.nan
            model = NumericModel().fit(item, source, value, gold=known)
            scores.append(model.score(item, held, source=source, value=value, metrics=METRICS))
        found[f"the same, {n_gold} gold"] = {name: float(np.mean([one[name] for one in scores])) for name in METRICS}
    return found


def simulated(common: float, shift: float, seed: int) -> tuple[Whole, Whole, Numbers, Numbers]:
    """300 items, 40 sources whose scale spans a factor of ten, eight votes an item."""
    rng = np.random.default_rng(seed)
    truth, sd = rng.normal(0, 20, 300), np.exp(rng.normal(1.5, 0.6, 40))
    item = np.repeat(np.arange(300), 8)
    source = np.concatenate([rng.choice(40, 8, replace=False) for _ in range(300)])
    shared = np.sqrt(common) * np.sqrt((sd**2).mean()) * rng.normal(size=300)
    bias = shift * sd * rng.normal(size=40)
    value = truth[item] + shared[item] + bias[source] + sd[source] * rng.standard_t(5, len(item)) / np.sqrt(5 / 3)
    return item, source, value, truth


def show(name: str, table: dict[str, dict[str, float]]) -> None:
    """Prints a table."""
    print(f"\n{name:28s}" + "".join(f"{metric:>10s}" for metric in METRICS))
    for method, scores in table.items():
        cells = [f"{scores[metric]:10.2f}" if metric in scores else " " * 10 for metric in METRICS]
        print(f"{method:28s}" + "".join(cells))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with numeric/")
    parser.add_argument("--draws", type=int, default=20, help="draws of gold to average over")
    parser.add_argument("--size", type=int, default=0, help="votes of a simulated fit to time, such as 10000000")
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "numeric").glob("*.npz"))
    if not paths:
        print(f"no archives in {arguments.data / 'numeric'}: skipped")
    for path in paths:
        with np.load(path) as data:
            item, source = data["item"].astype(np.int64), data["worker"].astype(np.int64)
            show(path.stem, rows(item, source, data["value"].astype(np.float64), data["gold"], arguments.draws))
    for common, shift in ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0)):
        show(f"simulated c={common} shift={shift}", rows(*simulated(common, shift, 0), arguments.draws))
    if arguments.size:
        rng = np.random.default_rng(0)
        n_items = arguments.size // 10
        item, source = np.repeat(np.arange(n_items), 10), rng.integers(0, 1000, n_items * 10)
        value = rng.normal(0, 10, n_items)[item] + np.exp(rng.normal(0, 0.5, 1000))[source] * rng.normal(size=len(item))
        for run in ("first", "warm"):
            started = time.perf_counter()
            model = NumericModel().fit(item, source, value)
            print(f"{run}: {len(item):,} votes in {time.perf_counter() - started:.1f} s, {model.n_iter} iterations")


if __name__ == "__main__":
    main()

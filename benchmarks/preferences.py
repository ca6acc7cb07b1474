"""Preferences: LLMBar with 0, 20 and 50 known pairs, simulated judges, and a million comparisons.

    python benchmarks/preferences.py FOLDER [--million]

FOLDER holds preference/llmbar.npz (votes [pairs, judges, 2], gold, judges); without it, simulations alone.
"""

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from weaklabel import PreferenceModel

DRAWS = 20


def llmbar(folder: Path) -> None:
    """Accuracy and negative log-likelihood on the pairs that are not known."""
    path = folder / "preference" / "llmbar.npz"
    if not path.exists():
        print(f"no {path}: left out")
        return
    with np.load(path) as data:
        votes, gold = data["votes"].astype(int), data["gold"].astype(int)
    for n_known in (0, 20, 50):
        scores = []
        for seed in range(DRAWS if n_known else 1):
            known = np.full(len(gold), -1)
            chosen = np.random.default_rng(seed).choice(len(gold), n_known, replace=False)
            known[chosen] = gold[chosen]
            model = PreferenceModel(ties=False).fit(votes, gold=known if n_known else None)
            p = model.predict_proba()[np.arange(len(gold)), gold][known < 0]
            scores.append(((p > 0.5).mean(), -np.log(p.clip(1e-6)).mean()))
        print(f"llmbar, {n_known} known: accuracy %.3f, NLL %.3f" % tuple(np.mean(scores, 0)))


def columns(seed: int, n_items: int, n_judges: int, n: int) -> tuple[dict[str, list[str]], np.ndarray]:
    """Simulated comparisons; 30 % of the judges answer at random."""
    rng = np.random.default_rng(seed)
    truth, skill, bias = rng.normal(0, 1, n_items), rng.gamma(4, 0.375, n_judges), rng.normal(0, 1, n_judges)
    skill[rng.random(n_judges) < 0.3] = 0
    left = rng.integers(0, n_items, n)
    right = (left + rng.integers(1, n_items, n)) % n_items
    judge, first = rng.integers(0, n_judges, n), rng.choice([-1, 1], n)
    eta = skill[judge] * (truth[left] - truth[right]) + bias[judge] * first
    won = rng.random(n) < 1 / (1 + np.exp(-eta))
    table = {
        "left": list(map(str, left)),
        "right": list(map(str, right)),
        "judge": list(map(str, judge)),
        "winner": np.where(won, "left", "right").tolist(),
        "shown_first": np.where(first > 0, "left", "right").tolist(),
    }
    return table, truth


def tau(n_items: int, n_judges: int, n: int, seed: int) -> float:
    """Kendall's tau of the scores."""
    table, truth = columns(seed, n_items, n_judges, n)
    start = time.perf_counter()
    model = PreferenceModel(ties=False).fit(table)
    print(f"  {n:,} comparisons: {time.perf_counter() - start:.1f} s, {model.n_iter} iterations")
    return float(kendalltau(model.scores_, truth[[int(name) for name in model.items_]])[0])


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data"))
    parser.add_argument("--million", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.million:
        for seed in range(2):
            print(f"tau {tau(20_000, 2_000, 1_000_000, seed):.3f}")
        print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
        return
    llmbar(given.folder)
    print(f"simulated, tau {np.mean([tau(100, 40, 5000, seed) for seed in range(10, 18)]):.3f}")


if __name__ == "__main__":
    main()

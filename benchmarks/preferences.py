"""Preferences: LLMBar with 0, 20 and 50 known pairs, simulated judges, rankings, and a million comparisons.

    python benchmarks/preferences.py FOLDER [--million | --rankings]

FOLDER holds preference/llmbar.npz (votes [pairs, judges, 2], gold, judges); without it, simulations alone.
"""

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, norm

from weaklabel import PreferenceModel
from weaklabel.kinds.preferences import comparisons_from_rankings

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


def rankings(n_items: int, n_judges: int, n_each: int, size: int, draws: int) -> None:
    """Rankings as such, and as comparisons of all their pairs, of judges of whom 30 % answer at random.

    Printed are Kendall's tau; the mean of -log P(x_i > x_j) of the better one of all pairs by the normal posterior of
    the scores, which is what `predict_proba` says without doubt; and the share of true differences in 90 % intervals.
    """
    found: dict[str, list[tuple[float, ...]]] = {}
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        truth = rng.normal(size=n_items)
        skill = np.where(rng.random(n_judges) < 0.3, 0.0, rng.normal(1.4, 0.3, n_judges))
        judges = np.repeat(np.arange(n_judges), n_each)
        shown = np.stack([rng.choice(n_items, size, replace=False) for _ in judges])
        noisy = skill[judges][:, None] * truth[shown] + rng.gumbel(size=shown.shape)
        table = comparisons_from_rankings(np.take_along_axis(shown, np.argsort(-noisy, 1), 1).tolist(), judges.tolist())
        for name in ("rankings", "pairs"):
            given = {key: values for key, values in table.items() if name == "rankings" or key != "ranking"}
            fit = PreferenceModel(ties=False).fit(given)
            scores = fit.item_columns()
            found.setdefault(name, []).append(_against(truth[[int(one) for one in scores["item"]]], scores))
    for name, values in found.items():
        of_scores, nll, cover = np.mean(values, 0)
        told = f"tau {of_scores:.3f}, NLL {nll:.3f}, cover {cover:.3f}"
        print(f"{n_judges * n_each} rankings of {size} of {n_items} items, as {name}: {told}", flush=True)


def _against(truth: np.ndarray, scores: dict[str, np.ndarray]) -> tuple[float, float, float]:
    mean, deviation = np.asarray(scores["score"]), (np.asarray(scores["high"]) - scores["low"]) / 2 / norm.ppf(0.95)
    left, right = np.triu_indices(len(truth), 1)
    difference, real = mean[left] - mean[right], truth[left] - truth[right]
    spread = np.sqrt(deviation[left] ** 2 + deviation[right] ** 2)
    nll = -norm.logcdf(np.where(real > 0, difference, -difference) / spread).mean()
    unit = (difference @ real) / (real @ real)  # of scores: skills are 1 on average
    inside = np.abs(difference - unit * real) < norm.ppf(0.95) * spread
    return float(kendalltau(mean, truth)[0]), float(nll), float(inside.mean())


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data"))
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--rankings", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.rankings:
        for size, n_each in ((3, 20), (5, 10), (10, 5), (10, 20)):
            rankings(60, 20, n_each, size, 10)
        return
    if given.million:
        for seed in range(2):
            print(f"tau {tau(20_000, 2_000, 1_000_000, seed):.3f}")
        print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
        return
    llmbar(given.folder)
    print(f"simulated, tau {np.mean([tau(100, 40, 5000, seed) for seed in range(10, 18)]):.3f}")


if __name__ == "__main__":
    main()

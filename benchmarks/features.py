#!/usr/bin/env python
"""Votes with features: scores of soft labels with and without, useless features, and how long it takes.

    .venv/bin/python benchmarks/features.py folder

Reads folder/weak/NAME.npz and the texts folder/text/NAME.text.jsonl.gz (a JSON string a line, in the archive's order).
Features are TF-IDF of scikit-learn, `sublinear_tf=True, min_df=2`. Models see votes and features of all items, never
the gold; scores are on the test part, as in quality.py.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer

sys.path.insert(0, str(Path(__file__).parent))
from label_quality.problems import Problem, read
from label_quality.scoring import METRICS, score

from weaklabel import LabelModel
from weaklabel.model.features.end_model import FeatureFit, fit_features, relative_evidence
from weaklabel.side_information.features import Features


def read_features(path: Path) -> sp.csr_array:
    """TF-IDF of the texts of one set."""
    with gzip.open(path, "rt") as file:
        texts = [json.loads(line) for line in file]
    return sp.csr_array(TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts), dtype=np.float32)


def with_features(problem: Problem, features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32], FeatureFit]:
    """Soft labels of votes alone, and of votes and features."""
    model = LabelModel(problem.votes.n_classes).fit(problem.votes)
    soft = model.predict_proba(problem.votes)
    voted = problem.votes.counts().sum(1) > 0
    weight = voted.astype(np.float32)
    fit = fit_features(features, relative_evidence(soft, weight), weight, seed=model.seed)
    both = softmax(np.log(np.maximum(soft, 1e-12)) + fit.offset, axis=1)
    return soft, np.where(voted[:, None], both, np.exp(fit.log_proba)), fit


def scored(problem: Problem, probabilities: NDArray[np.float32]) -> dict[str, float]:
    """METRICS on the items that are scored."""
    gold = np.where(problem.test, problem.gold, -1)
    return score(probabilities, gold, rare=problem.rare)._asdict()


def speed(n_items: int, n_features: int, cells: int, n_classes: int) -> tuple[float, float]:
    """Seconds of a first fit, which compiles, and of the next, on random sparse features."""
    rng = np.random.default_rng(0)
    shape = (n_items, n_features)
    features = sp.csr_array(sp.random_array(shape, density=cells / n_features, rng=rng, dtype=np.float32))
    evidence = np.log(rng.dirichlet(np.ones(n_classes), n_items)).astype(np.float32)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        fit_features(features, evidence, np.ones(n_items, np.float32))
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with weak/ and text/")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/features.json"))
    arguments = parser.parse_args()
    texts = sorted((arguments.data / "text").glob("*.text.jsonl.gz"))
    if not texts:
        raise SystemExit(f"no texts in {arguments.data}/text")
    found: dict[str, Any] = {}
    print(f"{'set':10}{'features':12}{'strength':>9}{'gain':>8}" + "".join(f"{metric:>8}" for metric in METRICS))
    for path in texts:
        name = path.name.removesuffix(".text.jsonl.gz")
        problem = read(arguments.data / "weak" / f"{name}.npz", "weak")
        features = read_features(path)
        rng = np.random.default_rng(0)
        kinds: dict[str, Features] = {
            "TF-IDF": features,
            "permuted": features[rng.permutation(features.shape[0])],
            "noise": rng.normal(size=(features.shape[0], 20)).astype(np.float32),
        }
        for kind, given in kinds.items():
            alone, outcome, fit = with_features(problem, given)
            figures = scored(problem, outcome)
            if "none" not in found.setdefault(name, {}):
                found[name]["none"] = scored(problem, alone)
                row = "".join(f"{found[name]['none'][metric]:8.3f}" for metric in METRICS)
                print(f"{name:10}{'none':12}{'':17}{row}")
            found[name][kind] = figures | {"strength": fit.model.strength, "gain": fit.gain}
            row = "".join(f"{figures[metric]:8.3f}" for metric in METRICS)
            print(f"{name:10}{kind:12}{fit.model.strength:9.3f}{fit.gain:8.1f}{row}", flush=True)
    first, next_ = speed(10_000, 5_000, 50, 2)
    found["seconds"] = {"10,000 x 5,000, first": first, "10,000 x 5,000, next": next_}
    print(f"10,000 items, 5,000 features (50 a row), 2 classes: {first:.1f} s with compilation, {next_:.1f} s after")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

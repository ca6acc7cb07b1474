#!/usr/bin/env python
"""Votes with features: soft labels of votes alone, of features alone, and of both; useless features; and seconds.

    .venv/bin/python benchmarks/features.py folder

Reads folder/weak/NAME.npz with the texts folder/text/NAME.text.jsonl.gz (a JSON string a line, in the archive's order),
and the candidate sets with features of folder/partial/. Features of texts are TF-IDF of scikit-learn,
`sublinear_tf=True, min_df=2`. "Features" is the end model alone, which the votes have taught. Models see votes and
features of all items, never the gold; scores are on the test part, as in quality.py.
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
from sklearn.feature_extraction.text import TfidfVectorizer

sys.path.insert(0, str(Path(__file__).parent))
from label_quality.problems import Problem, read
from label_quality.scoring import METRICS, score

from weaklabel import LabelModel
from weaklabel.model.features.end_model import fit_features
from weaklabel.model.features.evidence import by_item, draw_folds
from weaklabel.side_information.features import Features


def read_features(path: Path) -> sp.csr_array:
    """TF-IDF of the texts of one set."""
    with gzip.open(path, "rt") as file:
        texts = [json.loads(line) for line in file]
    return sp.csr_array(TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts), dtype=np.float32)


def labels(problem: Problem, features: Features) -> tuple[LabelModel, dict[str, NDArray[np.float32]]]:
    """A fit to votes and features, and its soft labels of the features alone and of both."""
    model = LabelModel(problem.votes.n_classes).fit(problem.votes, features=features)
    return model, {
        "features": model.predict_proba(features=features),
        "both": model.predict_proba(problem.votes, features=features),
    }


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
        fit_features(features, by_item(evidence, np.ones(n_items, np.float32), draw_folds(n_items, 5, 0), 5))
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with weak/ and text/")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/features.json"))
    arguments = parser.parse_args()
    texts = sorted((arguments.data / "text").glob("*.text.jsonl.gz"))
    problems: list[tuple[Problem, Features]] = []
    for path in texts:
        name = path.name.removesuffix(".text.jsonl.gz")
        problems.append((read(arguments.data / "weak" / f"{name}.npz", "weak"), read_features(path)))
    for path in sorted((arguments.data / "partial").glob("*.npz")):
        problem = read(path, "partial")
        assert problem.features is not None
        problems.append((problem, problem.features))
    if not problems:
        raise SystemExit(f"no texts in {arguments.data}/text, and nothing in {arguments.data}/partial")
    found: dict[str, Any] = {}
    print(f"{'set':18}{'soft labels of':22}{'strength':>9}" + "".join(f"{metric:>8}" for metric in METRICS))

    def show(problem: Problem, kind: str, model: LabelModel | None, probabilities: NDArray[np.float32]) -> None:
        figures = scored(problem, probabilities)
        strength = None if model is None else model.feature_strength
        found.setdefault(problem.key, {})[kind] = figures | {"strength": strength}
        cells = "".join(f"{figures[metric]:8.3f}" for metric in METRICS)
        print(f"{problem.key:18}{kind:22}{'' if strength is None else f'{strength:.3f}':>9}{cells}", flush=True)

    for problem, features in problems:
        alone = LabelModel(problem.votes.n_classes).fit(problem.votes)
        show(problem, "votes", None, alone.predict_proba(problem.votes))
        model, of_kinds = labels(problem, features)
        for kind, probabilities in of_kinds.items():
            show(problem, kind, model, probabilities)
        rng = np.random.default_rng(0)
        useless: dict[str, Features] = {
            "permuted": features[rng.permutation(features.shape[0])],
            "noise": rng.normal(size=(features.shape[0], 20)).astype(np.float32),
        }
        for kind, given in useless.items():
            model, of_kinds = labels(problem, given)
            show(problem, f"votes and {kind}", model, of_kinds["both"])
    first, next_ = speed(10_000, 5_000, 50, 2)
    found["seconds"] = {"10,000 x 5,000, first": first, "10,000 x 5,000, next": next_}
    print(f"10,000 items, 5,000 features (50 a row), 2 classes: {first:.1f} s with compilation, {next_:.1f} s after")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

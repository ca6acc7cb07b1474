#!/usr/bin/env python
"""Votes with features: soft labels of votes alone, of features alone, and of both; useless features; and seconds.

    .venv/bin/python benchmarks/features.py folder [--simulated]

Reads the texts folder/text/NAME.text.jsonl.gz (a JSON string a line, in the archive's order) with folder/weak/NAME.npz
and folder/weak/ds_NAME_*.npz, functions on the same texts, and the candidate sets with features of folder/partial/.
Features of texts are "words", TF-IDF of scikit-learn (`sublinear_tf=True, min_df=2`), and "embedding", the 100 largest
singular vectors of these. "Features" is the end model alone, which the votes have taught. Models see votes and features
of all items, never the gold; scores are on the test part, as in quality.py, and where there is one also on all items.
With --simulated, votes are simulated on the texts, see `label_quality.on_texts`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

sys.path.insert(0, str(Path(__file__).parent))
from label_quality.on_texts import simulated_on
from label_quality.problems import F1_SETS, Problem, read
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


def read_problems(folder: Path, *, simulated: bool) -> Iterator[tuple[Problem, str, Features]]:
    """Problems with the kind of features, and features."""
    for path in sorted((folder / "text").glob("*.text.jsonl.gz")):
        name = path.name.removesuffix(".text.jsonl.gz")
        words = read_features(path)
        embedding = TruncatedSVD(100, random_state=0).fit_transform(words).astype(np.float32)
        archives = [folder / "weak" / f"{name}.npz", *sorted((folder / "weak").glob(f"ds_{name}_*.npz"))]
        of_texts = [read(archive, "weak")._replace(rare=name in F1_SETS) for archive in archives]
        if simulated:
            of_texts += simulated_on(of_texts[0], words, embedding)
        for problem in of_texts:
            yield problem, "words", words
            yield problem, "embedding", embedding
    for path in sorted((folder / "partial").glob("*.npz")):
        problem = read(path, "partial")
        assert problem.features is not None
        yield problem, "its own", problem.features


def labels(problem: Problem, features: Features) -> tuple[LabelModel, dict[str, NDArray[np.float32]]]:
    """A fit to votes and features, and its soft labels of the features alone and of both."""
    model = LabelModel(problem.votes.n_classes).fit(problem.votes, features=features)
    return model, {
        "features": model.predict_proba(features=features),
        "both": model.predict_proba(problem.votes, features=features),
    }


def scored(problem: Problem, probabilities: NDArray[np.float32], *, everywhere: bool = False) -> dict[str, float]:
    """METRICS on the test part, or on all items."""
    gold = problem.gold if everywhere else np.where(problem.test, problem.gold, -1)
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
        fit_features(features, by_item(evidence, np.ones(n_items, np.float32), draw_folds(n_items, 0)))
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with weak/ and text/")
    parser.add_argument("--simulated", action="store_true", help="votes simulated on the texts as well")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/features.json"))
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    columns = "".join(f"{metric:>8}" for metric in METRICS)
    print(f"{'set':28}{'features':11}{'soft labels of':20}{'strength':>9}{columns}   all items:{columns}")

    def show(problem: Problem, given: str, kind: str, model: LabelModel | None, soft: NDArray[np.float32]) -> None:
        parts = [scored(problem, soft)]
        if (problem.test != (problem.gold >= 0)).any():
            parts.append(scored(problem, soft, everywhere=True))
        strength = None if model is None else model.feature_strength
        figures = dict(zip(("test", "all"), parts, strict=False)) | {"strength": strength}
        found.setdefault(f"{problem.key} {given}", {})[kind] = figures
        cells = " " * 14 if len(parts) > 1 else ""
        cells = cells.join("".join(f"{part[metric]:8.3f}" for metric in METRICS) for part in parts)
        shown = "" if strength is None else f"{strength:.3f}"
        print(f"{problem.key:28}{given:11}{kind:20}{shown:>9}{cells}", flush=True)

    for problem, given, features in read_problems(arguments.data, simulated=arguments.simulated):
        alone = LabelModel(problem.votes.n_classes).fit(problem.votes)
        show(problem, given, "votes", None, alone.predict_proba(problem.votes))
        model, of_kinds = labels(problem, features)
        for kind, probabilities in of_kinds.items():
            show(problem, given, kind, model, probabilities)
        if problem.group == "simulated" or given == "embedding":
            continue
        rng = np.random.default_rng(0)
        useless: dict[str, Features] = {
            "permuted": features[rng.permutation(features.shape[0])],
            "noise": rng.normal(size=(features.shape[0], 20)).astype(np.float32),
        }
        for kind, other in useless.items():
            model, of_kinds = labels(problem, other)
            show(problem, given, f"votes and {kind}", model, of_kinds["both"])
    if not found:
        raise SystemExit(f"no texts in {arguments.data}/text, and nothing in {arguments.data}/partial")
    first, next_ = speed(10_000, 5_000, 50, 2)
    found["seconds"] = {"10,000 x 5,000, first": first, "10,000 x 5,000, next": next_}
    print(f"10,000 items, 5,000 features (50 a row), 2 classes: {first:.1f} s with compilation, {next_:.1f} s after")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""The main job on real data: labeling functions in, calibrated soft labels out, through a real server.

Data: breast cancer Wisconsin (diagnostic), 569 fine needle aspirates, as scikit-learn ships it (Street, Wolberg and
Mangasarian 1993, doi:10.1117/12.148698). The labeling functions say what cytology knows: malignant nuclei are large,
uneven in size, notched and coarse. What counts as large is read off the unlabeled biopsies; the diagnoses are used to
score, never to label.

Run it by `make demo`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from weaklabel import ABSTAIN, MajorityVote, Votes, apply, labeling_function, source_summary
from weaklabel.analysis import evaluate
from weaklabel_client import Client

mpl.use("Agg")
import matplotlib.pyplot as plt  # after the backend is chosen

CLASSES = ["benign", "malignant"]
BENIGN, MALIGNANT = 0, 1


# --------------------------------------------------------------- data

_raw = load_breast_cancer()
FEATURES = [str(name).replace(" ", "_") for name in _raw.feature_names]
X: NDArray[np.float64] = _raw.data
DIAGNOSIS = np.where(_raw.target == 0, MALIGNANT, BENIGN)

_order = np.random.default_rng(0).permutation(len(X))
TRAIN, TEST = np.sort(_order[:399]), np.sort(_order[399:])

# The quantiles of each measurement among the training biopsies, diagnoses unseen: the clinic's idea of "usual".
QUANTILES = {name: np.quantile(X[TRAIN, column], np.arange(101) / 100) for column, name in enumerate(FEATURES)}


class Biopsy:
    """One aspirate: its measurements, and where they stand among all biopsies."""

    def __init__(self, row: NDArray[np.float64]) -> None:
        self.measured = dict(zip(FEATURES, row, strict=True))

    def percentile(self, feature: str) -> float:
        """Share of the biopsies, in percent, with a smaller value."""
        return float(np.searchsorted(QUANTILES[feature], self.measured[feature]))


# ------------------------------------------------- labeling functions


@labeling_function()
def large_nuclei(x: Biopsy) -> int:
    """Malignant nuclei are enlarged."""
    return MALIGNANT if x.percentile("mean_radius") > 75 else ABSTAIN


@labeling_function()
def small_nuclei(x: Biopsy) -> int:
    """Nuclei of usual size speak for a benign lump, as most lumps are."""
    return BENIGN if x.percentile("mean_radius") < 50 else ABSTAIN


@labeling_function()
def largest_nuclei_huge(x: Biopsy) -> int:
    """The three largest nuclei of the sample tell more than the mean."""
    return MALIGNANT if x.percentile("worst_area") > 70 else ABSTAIN


@labeling_function()
def largest_nuclei_usual(x: Biopsy) -> int:
    """If even the largest nuclei are not large, nothing is."""
    return BENIGN if x.percentile("worst_area") < 45 else ABSTAIN


@labeling_function()
def notched_outline(x: Biopsy) -> int:
    """Deep notches in the contour of the worst nuclei are a mark of malignancy."""
    return MALIGNANT if x.percentile("worst_concave_points") > 70 else ABSTAIN


@labeling_function()
def smooth_outline(x: Biopsy) -> int:
    """Contours without notches are benign."""
    return BENIGN if x.percentile("mean_concave_points") < 50 else ABSTAIN


@labeling_function()
def caved_in(x: Biopsy) -> int:
    """Strongly concave contours."""
    return MALIGNANT if x.percentile("mean_concavity") > 75 else ABSTAIN


@labeling_function()
def round_nuclei(x: Biopsy) -> int:
    """Compact, nearly round nuclei."""
    return BENIGN if x.percentile("mean_compactness") < 40 else ABSTAIN


@labeling_function()
def uneven_sizes(x: Biopsy) -> int:
    """Nuclei that differ much in area within one sample (pleomorphism)."""
    return MALIGNANT if x.percentile("area_error") > 75 else ABSTAIN


@labeling_function()
def even_sizes(x: Biopsy) -> int:
    """Nuclei of one size."""
    return BENIGN if x.percentile("area_error") < 45 else ABSTAIN


@labeling_function()
def coarse_chromatin(x: Biopsy) -> int:
    """Coarse, uneven staining of the worst nuclei."""
    return MALIGNANT if x.percentile("worst_texture") > 80 else ABSTAIN


@labeling_function()
def fine_chromatin(x: Biopsy) -> int:
    """Fine, even staining."""
    return BENIGN if x.percentile("mean_texture") < 35 else ABSTAIN


@labeling_function()
def asymmetric_nuclei(x: Biopsy) -> int:
    """Strongly asymmetric nuclei."""
    return MALIGNANT if x.percentile("worst_symmetry") > 85 else ABSTAIN


@labeling_function()
def overall_picture(x: Biopsy) -> int:
    """What a first look says: large and notched, or neither."""
    signs = [x.percentile(feature) for feature in ("worst_radius", "worst_concavity", "worst_smoothness")]
    return MALIGNANT if min(signs) > 60 else BENIGN if max(signs) < 60 else ABSTAIN


LABELING_FUNCTIONS = [
    large_nuclei,
    small_nuclei,
    largest_nuclei_huge,
    largest_nuclei_usual,
    notched_outline,
    smooth_outline,
    caved_in,
    round_nuclei,
    uneven_sizes,
    even_sizes,
    coarse_chromatin,
    fine_chromatin,
    asymmetric_nuclei,
    overall_picture,
]


# ------------------------------------------------------------- server


@contextmanager
def server(data_dir: Path) -> Iterator[str]:
    """Runs `weaklabel serve` as a process of its own; yields its address, and leaves nothing running."""
    command = [sys.executable, "-m", "weaklabel", "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir)]
    log = data_dir / "server.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"listening on (\S+?),", line)
        if not found:
            raise RuntimeError(f"the server did not start:\n{line}{log.read_text()}")
        print(line.strip())
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
    if status != 0:
        raise RuntimeError(f"the server ended with status {status}:\n{log.read_text()}")


# ------------------------------------------------- end model, picture


def train_on_soft_labels(soft: NDArray[Any]) -> Any:
    """Logistic regression on soft labels: each biopsy once a class, weighted by the probability of the class."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    inputs = np.concatenate([X[TRAIN]] * len(CLASSES))
    targets = np.repeat(np.arange(len(CLASSES)), len(TRAIN))
    return model.fit(inputs, targets, logisticregression__sample_weight=soft.T.reshape(-1))


def train_on_gold() -> Any:
    """The same model with the diagnoses: what soft labels are measured against."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X[TRAIN], DIAGNOSIS[TRAIN])


def draw(path: Path, votes: Votes, estimated: NDArray[Any], soft: NDArray[Any]) -> None:
    """Draws estimated beside empirical accuracies of the sources, and how often a soft label is right."""
    truth = DIAGNOSIS[TRAIN]
    empirical = source_summary(votes, gold=truth).empirical_accuracy
    assert empirical is not None
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")

    order = np.argsort(estimated)
    height = np.arange(len(order))
    left.hlines(height, estimated[order], empirical[order], color="0.8", lw=4, zorder=0)
    left.plot(estimated[order], height, "o", color="tab:blue", label="estimated from votes alone")
    left.plot(empirical[order], height, "D", color="tab:orange", label="against the diagnoses")
    left.set_yticks(height, [f"{votes.source_names[j]} ({100 * votes.coverage[j]:.0f} %)" for j in order])
    left.set(xlabel="accuracy", title="Labeling functions (coverage)")
    left.legend(loc="upper left")

    malignant = soft[:, MALIGNANT]
    edges = [0, 0.05, 0.2, 0.5, 0.8, 0.95, 1]
    right.plot([0, 1], [0, 1], color="0.7", zorder=0)
    for low, high in itertools.pairwise(edges):
        chosen = (malignant >= low) & ((malignant < high) | (high == 1))
        n = int(chosen.sum())
        if n:
            at, share = malignant[chosen].mean(), truth[chosen].mean()
            centre = (share + 1.92 / n) / (1 + 3.84 / n)  # Wilson's interval, 95 %
            half = 1.96 * np.sqrt(share * (1 - share) / n + 0.96 / n**2) / (1 + 3.84 / n)
            right.vlines(at, centre - half, centre + half, color="tab:red", alpha=0.4, lw=3)
            right.plot(at, share, "o", color="tab:red")
            right.annotate(f"{n} biopsies", (at, share), xytext=(9, -4), textcoords="offset points", fontsize=8)
    right.set(xlabel="soft label: probability of malignant", ylabel="share that is malignant, with 95 % interval")
    right.set(title="Reliability of the soft labels (training part)", xlim=(-0.02, 1.24), ylim=(-0.02, 1.02))
    right.set_xticks(np.linspace(0, 1, 6))
    figure.savefig(path, dpi=130)


def main() -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder for the picture")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()

    train = apply(LABELING_FUNCTIONS, [Biopsy(row) for row in X[TRAIN]], n_classes=2, items=TRAIN.tolist())
    test = apply(LABELING_FUNCTIONS, [Biopsy(row) for row in X[TEST]], n_classes=2, items=TEST.tolist(), progress=False)

    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address, Client(address) as client:
        client.create_project("biopsies", classes=CLASSES)
        client.upload_votes("biopsies", train)
        model = client.fit("biopsies").result(progress=True)
        soft = client.soft_labels("biopsies", model=model.name)
        predicted = client.predict("biopsies", test)
        estimated = np.array([source.accuracy for source in model.sources])
    print(f"fitted {model.name} in {model.n_iter} iterations, converged: {model.converged}")
    for warning in model.warnings:
        print(f"  the model warns: {warning}")

    print("\nThe labeling functions, against the diagnoses of the training part:\n")
    print(source_summary(train, gold=DIAGNOSIS[TRAIN]))

    end_model, gold_model = train_on_soft_labels(soft), train_on_gold()
    table = {
        "majority vote": MajorityVote(n_classes=2).fit(train).predict_proba(test),
        "label model": predicted,
        "logistic regression on soft labels": end_model.predict_proba(X[TEST]),
        "logistic regression on gold labels": gold_model.predict_proba(X[TEST]),
    }
    print(f"\nHeld out: {len(TEST)} biopsies that no model has seen\n")
    print(f"{'':36}{'accuracy':>9}{'F1':>8}{'NLL':>8}{'ECE':>8}")
    for name, probabilities in table.items():
        scores = evaluate(probabilities, DIAGNOSIS[TEST], positive=MALIGNANT)
        print(f"{name:36}{scores.accuracy:9.3f}{scores.f1:8.3f}{scores.nll:8.3f}{scores.ece:8.3f}")

    picture = output / "demo.png"
    draw(picture, train, estimated, soft)
    print(f"\npicture: {os.path.relpath(picture)}; {time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()

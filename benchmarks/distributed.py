"""Labeling functions and fits on two local workers of Ray and of Spark, beside one process: same votes, wall, memory.

    python benchmarks/distributed.py --engine one|ray|spark --folder F [--rows 10000000] [--fit-rows 10000000]

One engine a process: the peak memory is that of the driver alone, of Spark's without its JVM. The rows lie in Parquet
files of 125,000 rows, an id and a text of three words; ten functions look words up. The fits are to votes of ten
simulated sources in files of their own: a sample, then passes over all rows. Votes are told apart by a digest,
parameters by their largest difference from those of the first engine that ran in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from weaklabel import LabelModel, Votes, apply
from weaklabel._extras import require
from weaklabel.formats.parquet import read_votes
from weaklabel.labeling import LabelingFunction

WORDS = [f"w{n:02d}" for n in range(40)]
FILE_ROWS = 125_000
M = 10


def names_a_word(x: Any, words: frozenset[str], label: int) -> int:
    """A vote for a class where a word is there."""
    return label if words & set(x.text.split()) else -1


RULES = [
    LabelingFunction(names_a_word, name=f"lf_{n}", resources={"words": frozenset(WORDS[n::M]), "label": n % 2})
    for n in range(M)
]


def write_texts(folder: Path, n_rows: int) -> None:
    """Texts whose words hang on a class."""
    if (folder / "texts").exists():
        return
    rng = np.random.default_rng(0)
    (folder / "texts").mkdir(parents=True)
    words = np.array(WORDS)
    for start in range(0, n_rows, FILE_ROWS):
        size = min(FILE_ROWS, n_rows - start)
        truth = rng.integers(0, 2, (size, 1))
        own = 2 * rng.integers(0, len(WORDS) // 2, (size, 3)) + np.where(rng.random((size, 3)) < 0.75, truth, 1 - truth)
        texts = words[own]
        joined = np.char.add(np.char.add(np.char.add(texts[:, 0], " "), np.char.add(texts[:, 1], " ")), texts[:, 2])
        table = pa.table({"id": np.arange(start, start + size), "text": joined.tolist()})
        pq.write_table(table, folder / "texts" / f"{start:09d}.parquet", compression="zstd")


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Wall seconds, and what came of it."""
    started = time.perf_counter()
    result = what()
    seconds = time.perf_counter() - started
    print(f"{type(result).__name__}: {seconds:.1f} s", flush=True)
    return seconds, result


def write_votes(folder: Path, n_rows: int) -> None:
    """Votes of ten sources that abstain on half of the rows, for the fits."""
    if (folder / "votes").exists():
        return
    (folder / "votes").mkdir(parents=True)
    rng = np.random.default_rng(1)
    accuracy = rng.uniform(0.6, 0.9, M)
    for start in range(0, n_rows, FILE_ROWS):
        size = min(FILE_ROWS, n_rows - start)
        truth = rng.integers(0, 2, (size, 1), np.int8)
        codes = np.where(rng.random((size, M), np.float32) < accuracy, truth, 1 - truth)
        codes = np.where(rng.random((size, M), np.float32) < 0.5, codes, -1).astype(np.int8)
        ids = {"id": np.arange(start, start + size)}
        table = pa.table(ids | {f"lf_{n}": codes[:, n] for n in range(M)})
        pq.write_table(table, folder / "votes" / f"{start:09d}.parquet")


def one(folder: Path, sample_rows: int) -> dict[str, Any]:
    """One process: rows are read from the files as they are asked for."""
    from weaklabel.labeling import Row

    def rows() -> Any:
        for batch in ds.dataset(folder / "texts").to_batches(columns=["text"], batch_readahead=1, fragment_readahead=1):
            for text in batch.column("text").to_pylist():
                yield Row({"text": text})

    seconds, votes = timed(lambda: apply(RULES, rows(), n_classes=2, progress=False))
    memory = peak()
    fit, model = timed(
        lambda: LabelModel(2, sample_rows=sample_rows).fit(read_votes(folder / "votes", n_classes=2, ids="id"))
    )
    return told(votes, seconds, memory, fit, model)


def on_ray(folder: Path, sample_rows: int) -> dict[str, Any]:
    """Two workers of Ray."""
    from weaklabel.clusters.ray import RayVotes

    ray = require("ray", extra="ray", needed_for="this engine")
    require("ray.data", extra="ray", needed_for="this engine")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2_000_000_000)
    try:
        texts = ray.data.read_parquet(str(folder / "texts")).select_columns(["text"])
        seconds, votes = timed(lambda: apply(RULES, texts, n_classes=2, engine="ray", progress=False))
        memory = peak()
        on_cluster = RayVotes(ray.data.read_parquet(str(folder / "votes")), n_classes=2, ids="id")
        fit, model = timed(lambda: LabelModel(2, sample_rows=sample_rows).fit(on_cluster))
        return told(votes, seconds, memory, fit, model)
    finally:
        ray.shutdown()


def on_spark(folder: Path, sample_rows: int) -> dict[str, Any]:
    """Two cores of a local Spark."""
    from weaklabel.clusters.spark import SparkVotes

    os.environ["PYSPARK_PYTHON"] = sys.executable
    sql = require("pyspark.sql", extra="spark", needed_for="this engine")
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.memory", "2g").config("spark.ui.showConsoleProgress", "false")
    session = builder.config("spark.sql.shuffle.partitions", "8").getOrCreate()
    try:
        texts = session.read.parquet(str(folder / "texts")).orderBy("id")  # files come in the order of their size
        seconds, votes = timed(lambda: apply(RULES, texts, n_classes=2, engine="spark", progress=False))
        memory = peak()
        on_cluster = SparkVotes(session.read.parquet(str(folder / "votes")).orderBy("id"), n_classes=2, ids="id")
        fit, model = timed(lambda: LabelModel(2, sample_rows=sample_rows).fit(on_cluster))
        return told(votes, seconds, memory, fit, model)
    finally:
        session.stop()


def peak() -> float:
    """MB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def told(votes: Votes, seconds: float, memory: float, fit: float, model: LabelModel) -> dict[str, Any]:
    """What is compared."""
    codes = votes.to_codes()
    return {
        "rows": votes.n_items,
        "apply_s": round(seconds, 1),
        "rows_a_second": round(votes.n_items / seconds),
        "driver_MB_apply": round(memory),
        "fit_s": round(fit, 1),
        "driver_MB": round(peak()),
        "votes": hashlib.sha256(np.ascontiguousarray(codes, np.int8).tobytes()).hexdigest()[:16],
        "parameters": np.concatenate(
            [model.class_balance, np.ravel(np.asarray(model._fitted.params.sources.confusion))]
        ).tolist(),
    }


ENGINES = {"one": one, "ray": on_ray, "spark": on_spark}


def main() -> None:
    """Runs one engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--fit-rows", type=int, default=10_000_000)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sample-rows", type=int, default=20_000)
    given = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    write_texts(given.folder, given.rows)
    write_votes(given.folder, given.fit_rows)
    found = ENGINES[given.engine](given.folder, given.sample_rows)
    first = given.folder / "first.json"
    if not first.exists():
        first.write_text(json.dumps(found))
    before = json.loads(first.read_text())
    difference = np.abs(np.array(found.pop("parameters")) - np.array(before.pop("parameters"))).max()
    print(json.dumps({"engine": given.engine, **found, "same_votes": found["votes"] == before["votes"]}))
    print(f"parameters differ by {difference:.1e} from those of the first engine")


if __name__ == "__main__":
    main()

"""Fits and soft labels on Ray and Spark: those of the votes in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clusters.conftest import SLOW
from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

pa = pytest.importorskip("pyarrow")
N, M = 12_000, 14


def simulate() -> NDArray[np.int8]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (N, 1))
    right = rng.random((N, M)) < rng.uniform(0.6, 0.9, M)
    votes = np.where(right, truth, (truth + rng.integers(1, 3, (N, M))) % 3)
    return np.where(rng.random((N, M)) < 0.5, votes, -1).astype(np.int8)


@pytest.fixture(params=[pytest.param("ray", marks=SLOW), pytest.param("spark", marks=SLOW)])
def on(request: pytest.FixtureRequest) -> Any:
    """Votes of codes on an engine, and the rows of one of its tables."""
    engine = request.getfixturevalue(request.param)
    if request.param == "ray":
        from weaklabel.clusters.ray import RayVotes

        def of_ray(table: Any, **how: Any) -> Any:
            cuts = [0, 3000, 3001, 3001, 9000, table.num_rows]
            blocks = [table.slice(start, max(end - start, 0)) for start, end in pairwise(cuts)]
            return RayVotes(engine.data.from_arrow(blocks), **how)

        return of_ray, lambda labels: labels.to_pandas()
    from weaklabel.clusters.spark import SparkVotes

    def of_spark(table: Any, **how: Any) -> Any:
        shuffled = table.take(np.random.default_rng(1).permutation(table.num_rows)).to_pandas()
        frame = engine.createDataFrame(shuffled)
        return SparkVotes(frame.repartitionByRange(5, "id").sortWithinPartitions("id"), **how)

    return of_spark, lambda labels: labels.toPandas()


def table_of(codes: NDArray[Any]) -> Any:
    return pa.table({"id": np.arange(len(codes))} | {f"lf_{n}": column for n, column in enumerate(codes.T)})


@pytest.mark.parametrize("sample_rows", [1000, 2**16], ids=["a sample and passes", "all distinct rows"])
def test_parameters_and_soft_labels_are_those_of_the_fit_in_memory(on: Any, sample_rows: int) -> None:
    codes, (votes_of, rows_of) = simulate(), on
    votes = votes_of(table_of(codes), n_classes=3, ids="id")
    assert votes.source_names == tuple(f"lf_{n}" for n in range(M))
    model, in_memory = (LabelModel(3, sample_rows=sample_rows) for _ in range(2))
    model.fit(votes)
    in_memory.fit(codes)
    for name in ("class_balance", "source_accuracy", "coverage"):
        np.testing.assert_allclose(getattr(model, name), getattr(in_memory, name), atol=1e-6, err_msg=name)
    ours, theirs = (np.asarray(one._fitted.params.sources.confusion) for one in (model, in_memory))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    if sample_rows == 1000:
        labels = rows_of(votes.labels(model)).sort_values("id")
        soft, called = in_memory.label(codes)
        assert list(labels.columns) == ["id", "label", "p_0", "p_1", "p_2"]
        assert labels["id"].tolist() == list(range(N))
        np.testing.assert_allclose(labels[["p_0", "p_1", "p_2"]].to_numpy(np.float32), soft, atol=1e-5)
        np.testing.assert_array_equal(labels["label"].to_numpy(np.int32), called)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")
def test_a_data_frame_runs_once(spark: Any) -> None:
    from weaklabel.clusters.spark import SparkVotes

    counted = spark.sparkContext.accumulator(0)

    def read(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            counted.add(batch.num_rows)
            yield batch

    frame = spark.createDataFrame(table_of(simulate()).to_pandas())
    votes = SparkVotes(frame.mapInArrow(read, frame.schema), n_classes=3, ids="id")
    assert LabelModel(3, sample_rows=1000).fit(votes).n_iter > 2
    assert counted.value == N


def test_gold_and_groups_go_by_the_ids_of_rows(on: Any) -> None:
    codes, (votes_of, _) = simulate(), on
    groups = {row: "north" if row % 3 else "south" for row in range(N)}
    gold = {row: int(codes[row].max()) for row in range(5, N, 300)}
    in_memory, model = LabelModel(3), LabelModel(3)
    rows = Votes.from_codes(codes, 3, sources=[f"lf_{n}" for n in range(M)], items=range(N))
    in_memory.fit(rows, groups=groups, gold=gold)
    model.fit(votes_of(table_of(codes), n_classes=3, ids="id"), groups=groups, gold=gold)
    for name in ("class_balance", "source_accuracy"):
        np.testing.assert_allclose(getattr(model, name), getattr(in_memory, name), atol=1e-6, err_msg=name)
    ours, theirs = (np.asarray(one._fitted.params.sources.confusion) for one in (model, in_memory))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_vote_that_is_no_class_is_named(on: Any) -> None:
    codes, (votes_of, _) = simulate(), on
    codes[5000, 2] = 7
    with pytest.raises(InvalidVotesError, match=r"partition \d, rows from .*7 is outside 0\.\.2"):
        LabelModel(3).fit(votes_of(table_of(codes), n_classes=3, ids="id"))


def test_columns_are_checked_at_once(on: Any) -> None:
    table, (votes_of, _) = table_of(simulate()[:10]), on
    with pytest.raises(InvalidVotesError, match="no column 'lf_99'"):
        votes_of(table, n_classes=3, sources=["lf_99"])
    with pytest.raises(InvalidArgumentError, match="either n_classes or classes"):
        votes_of(table)

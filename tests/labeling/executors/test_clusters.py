"""Labeling functions on Ray Data and on Spark, both real: the same votes as in one process, and the same failures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel.errors import InvalidArgumentError, InvalidVotesError, LabelingFunctionError
from weaklabel.labeling import (
    Failure,
    LabelingFunction,
    LabelingFunctionWarning,
    apply,
    labeling_function,
    opened_once,
    preprocessor,
)
from weaklabel.votes.symbols import not_, one_of, soft

slow = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]
N = 5000


@preprocessor
def words(x: Any) -> Any:
    x.words = x.text.split()
    return x


@labeling_function(pre=[words])
def by_length(x: Any) -> int:
    return len(x.words) % 3


@labeling_function(resources={"every": 7})
def fails(x: Any, every: int) -> int | None:
    if x.number % 1000 == every:
        raise ValueError(f"number {x.number}")
    return 2 if x.number % every == 0 else None


@labeling_function
def imprecise(x: Any) -> Any:
    return [0, one_of(0, 2), not_(x.number % 3), soft([0.5, 0.25, 0.25])][x.number % 4]


def open_log(path: str) -> Any:
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return Path(path).open()  # what cannot be pickled


def _in_order(x: Any, log: Any) -> int:
    return 1 if log.readable() and x.number % 2 else 0


RULES = [by_length, fails, imprecise]


def _table() -> Any:
    pa = pytest.importorskip("pyarrow")
    numbers = np.arange(N)
    return pa.table({"number": numbers, "text": ["word " * (n % 11) for n in numbers.tolist()]})


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'weaklabel[ray]'")
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'weaklabel[ray]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=300_000_000)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield lambda table: ray.data.from_arrow([table.slice(0, 1700), table.slice(1700)]).repartition(7)
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    ray.shutdown()


@pytest.fixture(scope="module")
def on_spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'weaklabel[spark]'")
    cloudpickle = pytest.importorskip("pyspark.cloudpickle")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield lambda table: session.createDataFrame(table.to_pandas()).repartitionByRange(5, "number").sort("number")
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    session.stop()


@pytest.fixture(params=[pytest.param("ray", marks=slow), pytest.param("spark", marks=slow)])
def engine(request: pytest.FixtureRequest) -> Any:
    request.getfixturevalue(f"on_{request.param}")
    return request.param


@pytest.mark.parametrize("kind", ["here", "there"])
def test_votes_and_failures_are_those_of_one_process(
    engine: Any, kind: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    table, expected, found = _table(), list[Failure](), list[Failure]()
    with pytest.warns(LabelingFunctionWarning, match=r"'fails' failed on 5 of 5,000 .*item 7") as told:
        votes = apply(RULES, table, n_classes=3, progress=False, on_failure=expected.append)
    data = table if kind == "here" else request.getfixturevalue(f"on_{engine}")(table)
    capsys.readouterr()
    with pytest.warns(LabelingFunctionWarning, match=r"'fails' failed on 5 of 5,000 .*item 7") as again:
        same = apply(RULES, data, n_classes=3, engine=engine, on_failure=found.append)
    assert same.source_names == votes.source_names
    assert same.n_items == N
    np.testing.assert_array_equal(same.to_codes(), votes.to_codes())
    assert [(one.item, one.function, one.error) for one in found] == [
        (7 + 1000 * turn, "fails", f"ValueError: number {7 + 1000 * turn}") for turn in range(5)
    ]
    assert [one.traceback.splitlines()[-1] for one in found] == [one.traceback.splitlines()[-1] for one in expected]
    assert len([one for one in again if one.category is LabelingFunctionWarning]) == len(told)
    assert "5000" in capsys.readouterr().err  # the bar of `apply`


def test_the_first_failure_ends_a_run(engine: Any, request: pytest.FixtureRequest) -> None:
    for data in (_table(), request.getfixturevalue(f"on_{engine}")(_table())):
        with pytest.raises(LabelingFunctionError, match="'fails' failed on item 7: ValueError: number 7") as stopped:
            apply(RULES, data, n_classes=3, engine=engine, on_error="raise", progress=False)
        assert isinstance(stopped.value.__cause__, ValueError)


def test_resources_are_opened_once_a_worker(engine: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    log = opened_once(open_log, str(tmp_path / "opened"))
    rules = [LabelingFunction(_in_order, name=name, resources={"log": log}) for name in ("a", "b")]
    votes = apply(rules, request.getfixturevalue(f"on_{engine}")(_table()), n_classes=2, engine=engine, progress=False)
    np.testing.assert_array_equal(votes.to_codes(), np.repeat(np.arange(N)[:, None] % 2, 2, 1))
    opened = (tmp_path / "opened").read_text().split()
    assert len(opened) == len(set(opened))
    assert 1 <= len(opened) <= 2
    assert str(os.getpid()) not in opened


def test_ids_are_kept_and_counted(engine: Any, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(f"on_{engine}")(_table())
    ids = [f"m{n}" for n in range(N)]
    votes = apply([by_length], data, n_classes=3, items=ids, engine=engine, progress=False)
    assert votes.item_ids is not None
    assert list(votes.item_ids[:2]) == ["m0", "m1"]
    with pytest.raises(InvalidVotesError, match=r"4,?999"):
        apply([by_length], data, n_classes=3, items=ids[:-1], engine=engine, progress=False)


def test_data_without_items_and_items_of_any_kind(engine: Any) -> None:
    even = LabelingFunction(lambda x: x["n"] % 2, name="even")
    items = ({"n": n, "kind": object} for n in range(3000))  # of unknown length
    votes = apply([even], items, n_classes=2, engine=engine, progress=False)
    np.testing.assert_array_equal(votes.to_codes()[:, 0], np.arange(3000) % 2)
    assert apply([even], [], n_classes=2, engine=engine, progress=False).n_items == 0


def test_what_cannot_be_sent_is_named(engine: Any, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        rule = LabelingFunction(_in_order, name="holds", resources={"log": file})
        with pytest.raises(InvalidArgumentError, match=r"'holds' cannot be sent to workers: .*opened_once"):
            apply([rule], [1], n_classes=2, engine=engine, progress=False)


def test_data_of_an_engine_needs_that_engine(engine: Any, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(f"on_{engine}")(_table())
    with pytest.raises(InvalidArgumentError, match=f'give engine="{engine}"'):
        apply([by_length], data, n_classes=3)


SCRIPT = """
import sys
from weaklabel import apply, labeling_function

WORD = "free"

@labeling_function
def offers(x):
    return 1 if WORD in x else 0

votes = apply([offers], ["free", "not"] * 10, n_classes=2, engine=sys.argv[1], progress=False)
print(votes.to_codes()[:, 0].tolist() == [1, 0] * 10)
"""


@pytest.mark.parametrize("name", [pytest.param("ray", marks=slow), pytest.param("spark", marks=slow)])
def test_functions_of_a_script_go_to_the_workers(name: str, tmp_path: Path) -> None:
    pytest.importorskip({"ray": "ray", "spark": "pyspark"}[name], reason=f"{name} is not installed")
    (tmp_path / "script.py").write_text(SCRIPT)
    script = [sys.executable, str(tmp_path / "script.py"), name]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "RAY_ADDRESS": "", "SPARK_MASTER": "local[2]"}
    done = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert "True" in done.stdout, done.stderr


@pytest.mark.parametrize(("given", "said"), [("dask", '"ray" or "spark"'), ("", '"ray" or "spark"')])
def test_other_engines_are_refused(given: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said) as refused:
        apply([by_length], [], engine=given)  # type: ignore[arg-type]
    assert refused.value.field == "engine"


def test_a_number_of_processes_beside_an_engine_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="the cluster says") as refused:
        apply([by_length], [], engine="ray", n_jobs=2)
    assert refused.value.field == "n_jobs"

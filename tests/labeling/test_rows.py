"""Rows, and the reading of every kind of data."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import Row, apply, labeling_function
from weaklabel.labeling.rows import read_items

# More rows than one batch of any reader; a missing cell; names that are no identifiers or are methods of mappings.
COLUMNS: dict[str, list[Any]] = {
    "text": [f"row {i}" if i % 7 else None for i in range(250)],
    "a b": list(range(250)),
    "items": [i / 2 for i in range(250)],
}

KINDS: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas objects": lambda: pd.DataFrame(COLUMNS, dtype=object),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "pyarrow table": lambda: pa.table(COLUMNS),
    "pyarrow table in chunks": lambda: pa.concat_tables([pa.table(COLUMNS).slice(0, 90), pa.table(COLUMNS).slice(90)]),
    "pyarrow record batch": lambda: pa.record_batch(COLUMNS),
    "datasets": lambda: datasets.Dataset.from_dict(COLUMNS),
    "datasets, shuffled back": lambda: (
        datasets.Dataset.from_dict(COLUMNS).select(range(249, -1, -1)).select(range(249, -1, -1))
    ),
    "datasets, as numpy": lambda: datasets.Dataset.from_dict(COLUMNS).with_format("numpy"),
    "iterable datasets": lambda: datasets.Dataset.from_dict(COLUMNS).to_iterable_dataset(),
    "list": lambda: [Row(zip(COLUMNS, cells, strict=True)) for cells in zip(*COLUMNS.values(), strict=True)],
}


@labeling_function
def missing(x: Any) -> int:
    return 2 if x.text is None or x.text != x.text else 0


@labeling_function
def by_name(x: Any) -> int:
    return x["a b"] % 3 if x["items"] == x.items else -1


@labeling_function
def reads(x: Any) -> int | None:
    return 1 if str(x["text"]).endswith("1") else None


@pytest.mark.parametrize("kind", KINDS)
def test_one_function_runs_on_every_kind(kind: str) -> None:
    votes = apply([missing, by_name, reads], KINDS[kind](), n_classes=3, progress=False)
    expected = [[0 if i % 7 else 2, i % 3, 1 if i % 7 and i % 10 == 1 else -1] for i in range(250)]
    assert votes.to_codes().tolist() == expected
    assert votes.source_names == ("missing", "by_name", "reads")
    assert votes.item_ids is None


@pytest.mark.parametrize("kind", KINDS)
def test_length_is_known_where_it_can_be(kind: str) -> None:
    assert read_items(KINDS[kind]()).n_items == (None if kind == "iterable datasets" else 250)


@pytest.mark.parametrize("empty", [[], pd.DataFrame({"a": []}), pl.DataFrame({"a": []}), pa.table({"a": []}), iter(())])
def test_no_items(empty: Any) -> None:
    votes = apply([missing, reads], empty, progress=False)
    assert (votes.shape, votes.n_classes) == ((0, 2), 2)


@pytest.mark.parametrize(
    "data",
    [["a", "bb"], ("a", "bb"), np.array(["a", "bb"]), pd.Series(["a", "bb"]), pl.Series(["a", "bb"]), {"a", "bb"}],
)
def test_items_of_other_collections_are_passed_as_they_are(data: Any) -> None:
    length = labeling_function(lambda x: len(x))
    assert sorted(apply([length], data, progress=False).to_dense()[:, 0].tolist()) == [1, 2]


def test_dicts_in_a_list_stay_dicts() -> None:
    votes = apply([labeling_function(lambda x: x["n"])], [{"n": 1}, {"n": 0}], progress=False)
    assert votes.to_dense().tolist() == [[1], [0]]


def test_ids_of_a_pandas_index() -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"]}, index=["x", "y", "z"])
    for data in (frame, frame["text"]):
        ids = apply([labeling_function(lambda x: 0)], data, progress=False).item_ids
        assert ids is not None
        assert ids.tolist() == ["x", "y", "z"]
    chosen = frame.reset_index(drop=True)[lambda f: f.text != "b"]
    assert read_items(chosen).ids == [0, 2]
    assert read_items(frame.reset_index(drop=True)[1:]).ids == [1, 2]
    assert read_items(frame.reset_index(drop=True)).ids is None


@pytest.mark.parametrize(
    ("index", "reason"),
    [([0, 1, 0], "'0' appears twice, in rows 0 and 2"), (["a", None, "b"], "item 1 is None"), ([0, np.nan, 1], "nan")],
)
def test_a_pandas_index_that_cannot_be_ids(index: list[Any], reason: str) -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"]}, index=pd.Index(index, dtype=object))
    rule = labeling_function(lambda x: 0)
    with pytest.raises(InvalidArgumentError, match=f"{reason}.* Give items=, or data.reset_index") as caught:
        apply([rule], frame, progress=False)
    assert caught.value.field == "data"
    assert apply([rule], frame.reset_index(drop=True), progress=False).item_ids is None
    assert apply([rule], frame, items=["x", "y", "z"], progress=False).n_items == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("text", "got a str"),
        (datasets.DatasetDict({"train": datasets.Dataset.from_dict({"a": [1]})}), "got a DatasetDict.*one of them"),
        (pl.LazyFrame({"a": [1]}), "LazyFrame"),
        (7, "got int"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "columns repeat"),
    ],
)
def test_data_that_is_refused(data: Any, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason) as caught:
        apply([missing], data, progress=False)
    assert caught.value.field == "data"


def test_a_row_is_a_mapping_that_pickles_and_copies() -> None:
    row = Row({"text": "hi", "a b": 1, 3: "number"})
    assert (row.text, row["a b"], row[3]) == ("hi", 1, "number")
    assert dict(row) == {"text": "hi", "a b": 1, 3: "number"}
    assert "text" in row
    assert "other" not in row
    assert "{text}!".format_map(row) == "hi!"
    assert pickle.loads(pickle.dumps(row)) == copy.copy(row) == row
    assert repr(row) == "Row({'text': 'hi', 'a b': 1, 3: 'number'})"
    with pytest.raises(AttributeError, match="other"):
        _ = row.other
    with pytest.raises(KeyError, match="other"):
        _ = row["other"]


def test_optional_libraries_are_not_imported() -> None:
    program = (
        "import sys\n"
        "from weaklabel import apply, labeling_function\n"
        "from weaklabel.analysis import source_summary\n"
        "print(source_summary(apply([labeling_function(lambda x: x)], [0, 1], progress=False)))\n"
        "found = {'pandas', 'polars', 'pyarrow', 'datasets', 'jax', 'grpc', 'openai'} & set(sys.modules)\n"
        "sys.exit(repr(found) if found else 0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

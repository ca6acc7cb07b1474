from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats import arrow, parquet
from weaklabel.formats.parquet import read_votes, write_labels

CODES = np.array([[0, 1, -1], [1, 1, 0], [-1, -1, -1], [0, 0, -2], [1, 0, 1]], np.int8)


def codes_of(votes: parquet.ParquetVotes) -> NDArray[Any]:
    return np.concatenate([part.to_codes() for part in votes])


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def columns_of(codes: NDArray[Any]) -> dict[str, Any]:
    return {f"lf_{number}": column for number, column in enumerate(codes.T)}


def test_a_file_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    votes = read_votes(write(tmp_path / "v.parquet", columns_of(CODES), row_group_size=3), n_classes=2)
    assert (votes.n_items, votes.source_names) == (5, ("lf_0", "lf_1", "lf_2"))
    assert all(part.n_items <= 2 for part in votes)
    for _ in range(2):
        np.testing.assert_array_equal(codes_of(votes), CODES)
    assert codes_of(votes).dtype == np.int8


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, part in (("b.parquet", CODES[3:4]), ("a.parquet", CODES[:3]), ("c/d.parquet", CODES[4:])):
        write(tmp_path / name, columns_of(part))
    for name in (".hidden.parquet", "_temporary/e.parquet", "e.parquet.txt"):
        write(tmp_path / name, columns_of(CODES))
    votes = read_votes(tmp_path, n_classes=2)
    assert votes.n_items == 5
    np.testing.assert_array_equal(codes_of(votes), CODES)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 1, None, 1], pa.int8()),
        pa.array([0, 1, None, 1], pa.int64()),
        pa.array([0, 1, None, 1], pa.uint8()),
        pa.array([0.0, 1.0, None, 1.0]),
        pa.array(["ham", "spam", None, "spam"]),
        pa.array(["ham", "spam", None, "spam"], pa.large_string()),
        pa.array(["ham", "spam", None, "spam"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_what_a_column_may_hold(tmp_path: Path, column: Any) -> None:
    path = write(tmp_path / "v.parquet", {"lf": column, "never": pa.nulls(4)})
    read = codes_of(read_votes(path, classes=["ham", "spam"]))
    np.testing.assert_array_equal(read, [[0, -1], [1, -1], [-1, -1], [1, -1]])
    assert read.dtype == np.int8


def test_columns_of_int8_are_not_copied() -> None:
    column = pa.array(CODES[:, 0])
    read = arrow._codes(column, ["0", "1"], "here")
    assert read.__array_interface__["data"][0] == column.buffers()[1].address


def test_more_classes_than_a_byte_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "v.parquet", {"a": np.array([0, 299], np.int16), "b": np.array([-1, 5], np.int8)})
    np.testing.assert_array_equal(codes_of(read_votes(path, n_classes=300)), [[0, -1], [299, 5]])


def test_chosen_columns_in_the_order_given(tmp_path: Path) -> None:
    path = write(tmp_path / "v.parquet", {**columns_of(CODES), "text": ["x"] * 5})
    votes = read_votes(path, n_classes=2, sources=["lf_2", "lf_0"])
    assert votes.source_names == ("lf_2", "lf_0")
    np.testing.assert_array_equal(codes_of(votes), CODES[:, [2, 0]])


def test_files_whose_columns_are_in_another_order(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns_of(CODES))
    write(tmp_path / "b.parquet", dict(reversed(columns_of(CODES).items())))
    np.testing.assert_array_equal(codes_of(read_votes(tmp_path, n_classes=2)), np.tile(CODES, (2, 1)))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"lf": [0, 2, 1]}, r"v\.parquet, rows from 0: row 1, column 0 \('lf'\): label 2 is outside"),
        ({"lf": [0, -3, 1]}, "label -3"),
        ({"lf": [0.0, 0.5, 1.0]}, r"row 1, column 0 is 0\.5"),
        ({"lf": ["0", "1", "yes"]}, "column 'lf': row 2 holds 'yes', which is no class"),
        ({"lf": [True, False, True]}, "column 'lf': votes are class indices or names of classes, not bool"),
        ({"lf": [[0], [1], [1]]}, "not list"),
    ],
)
def test_votes_that_are_no_classes_are_refused_with_their_place(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    votes = read_votes(write(tmp_path / "v.parquet", columns), n_classes=2)
    with pytest.raises(InvalidVotesError, match=said):
        codes_of(votes)
    with pytest.raises(InvalidVotesError, match=said):
        LabelModel(2).fit(votes)


def test_the_place_counts_from_the_start_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    write(tmp_path / "a.parquet", {"lf": [0, 1, 1]})
    write(tmp_path / "b.parquet", {"lf": [0, 1, 1, 0, 1, 7]})
    with pytest.raises(InvalidVotesError, match=r"b\.parquet, rows from 4: row 1, column 0 \('lf'\): label 7"):
        codes_of(read_votes(tmp_path, n_classes=2))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidVotesError, match=r"none\.parquet cannot be read"):
        read_votes(tmp_path / "none.parquet", n_classes=2)
    with pytest.raises(InvalidVotesError, match="no files"):
        read_votes(tmp_path, n_classes=2)
    (tmp_path / "text.parquet").write_text("not Parquet at all")
    with pytest.raises(InvalidVotesError, match=r"text\.parquet cannot be read"):
        read_votes(tmp_path, n_classes=2)


def test_a_file_that_is_damaged_inside(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write(tmp_path / "v.parquet", columns_of(rng.integers(0, 2, (5000, 3)).astype(np.int8)))
    votes = read_votes(path, n_classes=2)
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36  # the first page; the footer stays
    path.write_bytes(content)
    with pytest.raises(InvalidVotesError, match=r"v\.parquet cannot be read"):
        codes_of(votes)


def test_columns_that_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns_of(CODES))
    with pytest.raises(InvalidVotesError, match=r"a\.parquet has no column 'id'"):
        read_votes(tmp_path, n_classes=2, ids="id")
    with pytest.raises(InvalidVotesError, match=r"a\.parquet has no column 'other'"):
        read_votes(tmp_path, n_classes=2, sources=["lf_0", "other"])
    write(tmp_path / "b.parquet", columns_of(CODES[:, :2]))
    with pytest.raises(InvalidVotesError, match=r"b\.parquet has no column 'lf_2'"):
        read_votes(tmp_path, n_classes=2)
    only_ids = write(tmp_path / "ids" / "a.parquet", {"id": [1, 2]})
    with pytest.raises(InvalidVotesError, match="no column of votes"):
        read_votes(only_ids, n_classes=2, ids="id")


@pytest.mark.parametrize("said", [{}, {"n_classes": 2, "classes": ["a", "b"]}])
def test_the_classes_are_given_in_one_way(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="either n_classes or classes"):
        read_votes(write(tmp_path / "v.parquet", columns_of(CODES)), **said)


@pytest.mark.parametrize("ids", [np.arange(5) * 7, [f"item {row}" for row in range(5)]], ids=["int", "str"])
def test_soft_labels_are_those_of_the_model(tmp_path: Path, ids: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    path = write(tmp_path / "v.parquet", {**columns_of(CODES), "message": ids})
    votes = read_votes(path, n_classes=2, ids="message")
    assert votes.source_names == ("lf_0", "lf_1", "lf_2")
    model = LabelModel(classes=["ham", "spam"]).fit(votes)
    steps: list[tuple[int, int]] = []
    write_labels(tmp_path / "out.parquet", model, votes, progress=lambda done, total: steps.append((done, total)))

    table = pq.read_table(tmp_path / "out.parquet")
    soft, called = model.label(np.maximum(CODES, -1))
    assert table.column_names == ["message", "label", "p_ham", "p_spam"]
    assert table["message"].to_pylist() == list(ids)
    assert table["label"].to_pylist() == called.tolist()
    assert {str(table.schema.field(name).type) for name in ("p_ham", "p_spam")} == {"float"}
    np.testing.assert_array_equal(np.stack([table["p_ham"], table["p_spam"]], 1), soft)
    assert steps == [(2, 5), (4, 5), (5, 5)]


def test_soft_labels_without_ids_and_of_no_rows(tmp_path: Path) -> None:
    votes = read_votes(write(tmp_path / "v.parquet", columns_of(CODES)), n_classes=2)
    none = read_votes(write(tmp_path / "none.parquet", columns_of(CODES[:0])), n_classes=2)
    write_labels(tmp_path / "out.parquet", LabelModel(2).fit(votes), none)
    table = pq.read_table(tmp_path / "out.parquet")
    assert (table.num_rows, table.column_names) == (0, ["label", "p_0", "p_1"])


def test_ids_of_unlike_types_become_those_of_the_first_file(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {**columns_of(CODES), "id": np.arange(5, dtype=np.int64)})
    write(tmp_path / "b.parquet", {**columns_of(CODES), "id": np.arange(5, 10, dtype=np.int32)})
    votes = read_votes(tmp_path, n_classes=2, ids="id")
    write_labels(tmp_path / "out", LabelModel(2).fit(votes), votes)
    assert pq.read_table(tmp_path / "out")["id"].to_pylist() == list(range(10))


def test_a_run_that_breaks_off_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    folder, out = tmp_path / "votes", tmp_path / "out.parquet"
    votes = read_votes(write(folder / "v.parquet", columns_of(CODES)), n_classes=2)
    model = LabelModel(2).fit(votes)
    out.write_text("before")

    def stop(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_labels(out, model, votes, progress=stop)
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "votes"]


def test_ids_named_as_labels_are_refused(tmp_path: Path) -> None:
    votes = read_votes(
        write(tmp_path / "v.parquet", {**columns_of(CODES), "label": np.arange(5)}), n_classes=2, ids="label"
    )
    with pytest.raises(InvalidArgumentError, match="'label'"):
        write_labels(tmp_path / "out.parquet", LabelModel(2).fit(votes), votes)


@pytest.mark.parametrize("name", ["task", None])
def test_an_index_that_pandas_wrote_is_no_source(tmp_path: Path, name: str | None) -> None:
    """It holds the ids, unless others are named; without what pandas writes beside it, it is known by its name."""
    frame = pd.DataFrame(CODES, columns=list("abc"), index=pd.Index([f"t{at}" for at in range(len(CODES))], name=name))
    frame.to_parquet(tmp_path / "v.parquet")
    votes = read_votes(tmp_path / "v.parquet", n_classes=2)
    assert votes.source_names == ("a", "b", "c")
    assert votes.id_field.name == (name or "__index_level_0__")
    (batch,) = votes.batches()
    assert batch.ids is not None
    assert batch.ids.to_pylist() == frame.index.tolist()
    np.testing.assert_array_equal(batch.votes.to_codes(), CODES)
    chosen = read_votes(tmp_path / "v.parquet", n_classes=2, sources=["c"])
    assert (chosen.source_names, chosen.id_field) == (("c",), None)
    named = read_votes(tmp_path / "v.parquet", n_classes=2, ids="a")
    assert (named.source_names, named.id_field.name) == (("b", "c"), "a")
    if name is None:
        table = pq.read_table(tmp_path / "v.parquet").replace_schema_metadata(None)
        pq.write_table(table, tmp_path / "bare.parquet")
        assert read_votes(tmp_path / "bare.parquet", n_classes=2).source_names == ("a", "b", "c")


def test_other_indices_that_pandas_wrote(tmp_path: Path) -> None:
    frame = pd.DataFrame(CODES, columns=list("abc"))
    frame.to_parquet(tmp_path / "range.parquet", index=True)  # written beside the data, if at all
    assert read_votes(tmp_path / "range.parquet", n_classes=2).source_names == ("a", "b", "c")
    levels = pd.MultiIndex.from_tuples([("x", at) for at in range(len(CODES))], names=["page", "line"])
    frame.set_axis(levels).to_parquet(tmp_path / "levels.parquet")
    votes = read_votes(tmp_path / "levels.parquet", n_classes=2)
    assert (votes.source_names, votes.id_field) == (("a", "b", "c"), None)
    frame[2:].to_parquet(tmp_path / "part.parquet")
    votes = read_votes(tmp_path / "part.parquet", n_classes=2)
    assert votes.source_names == ("a", "b", "c")


def test_texts_and_floats_of_every_kind_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "view": pa.array(["spam", None, "ham"], pa.string_view()),
            "dictionary": pa.array(["spam", None, "ham"]).dictionary_encode(),
            "floats": pa.array([1.0, float("nan"), 0.0]),
            "nulls": pa.array([1.0, None, 0.0]),
        }
    )
    pq.write_table(table, tmp_path / "v.parquet")
    (votes,) = read_votes(tmp_path / "v.parquet", classes=["ham", "spam"])
    assert votes.to_dense().tolist() == [[1] * 4, [-1] * 4, [0] * 4]


def test_a_data_set_on_another_filesystem(tmp_path: Path) -> None:
    for name, part in (("a.parquet", CODES[:3]), ("b.parquet", CODES[3:])):
        write(
            tmp_path / "bucket" / "votes" / name,
            columns_of(part) | {"id": [f"{name}{row}" for row in range(len(part))]},
        )
    store = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    votes = read_votes("bucket/votes", filesystem=store, n_classes=2, ids="id")
    assert (votes.n_items, votes.source_names) == (5, ("lf_0", "lf_1", "lf_2"))
    for _ in range(2):
        np.testing.assert_array_equal(codes_of(votes), CODES)
    ids = [one for batch in votes.batches() for one in (batch.ids or pa.array([])).to_pylist()]
    assert ids == ["a.parquet0", "a.parquet1", "a.parquet2", "b.parquet0", "b.parquet1"]
    with pytest.raises(InvalidVotesError, match="bucket/nothing cannot be read"):
        read_votes("bucket/nothing", filesystem=store, n_classes=2)


def test_data_sets_of_any_format_and_filter(tmp_path: Path) -> None:
    table = pa.table(columns_of(CODES) | {"day": [1, 2, 1, 2, 1]})
    ds.write_dataset(table, tmp_path / "feather", format="feather")
    whole = ds.dataset(tmp_path / "feather", format="feather")
    some = read_votes(whole.filter(pc.field("day") == 1), n_classes=2, sources=["lf_0", "lf_2"])
    assert some.n_items == 3
    np.testing.assert_array_equal(codes_of(some), CODES[::2][:, [0, 2]])
    in_memory = read_votes(ds.dataset(table), n_classes=2, ids="day")
    np.testing.assert_array_equal(codes_of(in_memory), CODES)
    write_labels(tmp_path / "labels.parquet", LabelModel(2).fit(in_memory), in_memory)
    assert pq.read_table(tmp_path / "labels.parquet")["day"].to_pylist() == [1, 2, 1, 2, 1]
    with pytest.raises(InvalidVotesError, match=r"the data set, rows from 0.*row 1, column 3 .*2 is outside"):
        codes_of(read_votes(ds.dataset(table), n_classes=2))
    with pytest.raises(InvalidArgumentError, match="has its filesystem"):
        read_votes(whole, filesystem=pafs.LocalFileSystem(), n_classes=2)

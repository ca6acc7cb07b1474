"""Files that are well formed and yet odd: labels written in two ways, dates, packed files, thousands of columns."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel.errors import InvalidVotesError
from weaklabel.formats.vote_tables import Layout, VoteTable, read_vote_table
from weaklabel.formats.writing import write_table


def read(tmp_path: Path, content: str | bytes, name: str = "votes.csv", **layout: Any) -> VoteTable:
    (path := tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_vote_table(path, Layout(**layout))


def refused(tmp_path: Path, content: str | bytes, name: str = "votes.csv", **layout: Any) -> str:
    with pytest.raises(InvalidVotesError) as caught:
        read(tmp_path, content, name, **layout)
    return str(caught.value)


def said(table: VoteTable) -> list[list[str | None]]:
    names = [*table.classes, None]
    return [[names[code] for code in row] for row in table.votes.to_dense().tolist()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("spam", "Spam"),
        ("not spam", "not  spam"),
        ("not spam", "not\N{NO-BREAK SPACE}spam"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"),
        ("1", "01"),
    ],
)
def test_one_class_written_in_two_ways_is_refused_until_the_classes_are_named(
    tmp_path: Path, one: str, other: str
) -> None:
    content = f"a,b\n{one},ham\nham,{other}\n"
    told = refused(tmp_path, content)
    assert "line 3, column 'b' holds" in told
    assert "line 2, column 'a'" in told
    assert "--classes" in told
    together = read(tmp_path, content, classes=["ham", one])
    assert said(together) == [[one, "ham"], ["ham", one]]
    assert any(f"{other!r} as {one!r}" in line for line in together.notes)
    assert said(read(tmp_path, content, classes=["ham", one, other])) == [[one, "ham"], ["ham", other]]


def test_a_whole_number_among_words_is_one_class_however_it_is_written(tmp_path: Path) -> None:
    content = "a,b\n1,none of it\n1.0,yes\n"
    assert "'1.0'" in refused(tmp_path, content)
    assert said(read(tmp_path, content, classes=["1", "yes", "none of it"])) == [["1", "none of it"], ["1", "yes"]]


def test_long_numbers_stay_apart(tmp_path: Path) -> None:
    first, second = "12345678901234567890", "12345678901234567891"  # the same as floats
    assert said(read(tmp_path, f"a,b\n{first},{second}\n")) == [[first, second]]


@pytest.mark.parametrize("date", ["2024-01-31", "2024-01-31 10:00:00", "31.01.2024", "1/31/24"])
def test_dates_are_no_classes(tmp_path: Path, date: str) -> None:
    assert f"line 2, column 'when' holds {date}, a date" in refused(tmp_path, f"a,b,when\nham,spam,{date}\n")


def test_a_short_column_of_texts_is_no_source(tmp_path: Path) -> None:
    content = "text,a,b\nhello,ham,spam\nbuy now,spam,spam\nwin,spam,\nsee you,ham,ham\n"
    assert "column 'text' holds 4 different values, none of which is in another column" in refused(tmp_path, content)
    assert read(tmp_path, content, sources=["a", "b"]).classes == ("ham", "spam")


def test_tabs_in_quotes(tmp_path: Path) -> None:
    assert said(read(tmp_path, 'a\tb\n"not\tspam"\tspam\n"a ""b"""\tspam\n', "v.tsv")) == [
        ["not\tspam", "spam"],
        ['a "b"', "spam"],
    ]


def test_a_cell_longer_than_most(tmp_path: Path) -> None:
    content = f'text,a,b\n"{"x" * 200_000}",ham,spam\n'
    assert said(read(tmp_path, content, sources=["a", "b"])) == [["ham", "spam"]]


@pytest.mark.parametrize("name", ["v.csv.gz", "v.gz", "v.CSV.GZ"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    data = gzip.compress(b"a,b\nham,spam\n")
    assert said(read(tmp_path, data, name)) == [["ham", "spam"]]
    assert "damaged" in refused(tmp_path, data[:-4], name)


def test_a_packed_file_is_written_packed(tmp_path: Path) -> None:
    write_table(path := tmp_path / "v.jsonl.gz", {"a": ["ham", None], "b": ["spam", "ham"]})
    assert gzip.decompress(path.read_bytes()) == b'{"a": "ham", "b": "spam"}\n{"a": null, "b": "ham"}\n'
    assert said(read_vote_table(path)) == [["ham", "spam"], [None, "ham"]]


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("a,b\nham,spam\n".encode("utf-16-le"), "v.csv", "line 1: a byte 0"),
        (b"a,b\rham,spam\rham,sp\xe4m\r", "v.csv", "line 3, column 2: byte 0xe4"),
        (b"sep=;\na;b\nham;spam\n", "v.csv", "column 2 has no name in the first row"),
        (b'{"a": "ham"}\n{"a": ' + b"[" * 100_000 + b"}\n", "v.jsonl", "line 2: this is no JSON object"),
        (b"a,b\n", "v.csv", "no rows"),
        (b"\xef\xbb\xbf", "v.csv", "v.csv is empty"),
        (b"a;a;b\nx;y;z\n", "v.csv", "columns 1 and 2 are both called 'a'"),
        (b"A, A \nx,y\n", "v.csv", "'A'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, content: bytes, name: str, expected: str
) -> None:
    assert expected in refused(tmp_path, content, name)


def test_thousands_of_columns(tmp_path: Path) -> None:
    width = 20_000
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=(3, width))
    lines = [",".join(f"s{at}" for at in range(width))]
    lines += [",".join(np.array(["ham", "spam"])[row]) for row in codes]
    table = read(tmp_path, "\n".join(lines))
    assert np.array_equal(table.votes.to_dense(), codes)


def parquet_of(path: Path, table: Any) -> Path:
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    return path


def test_the_index_of_pandas_is_ids_and_no_source(tmp_path: Path) -> None:
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": ["ham", "spam"], "b": ["spam", None]}, index=["x", "y"])
    table = read_vote_table(parquet_of(tmp_path / "v.parquet", pa.Table.from_pandas(frame)))
    assert (table.votes.source_names, said(table)) == (("a", "b"), [["ham", "spam"], ["spam", None]])
    assert table.votes.item_ids is not None
    assert table.votes.item_ids.tolist() == ["x", "y"]


def test_an_index_of_several_columns_is_no_source_either(tmp_path: Path) -> None:
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": ["ham", "spam"], "b": ["spam", None]})
    frame.index = pd.MultiIndex.from_tuples([("ham", 1), ("spam", 2)], names=["folder", "number"])
    table = read_vote_table(parquet_of(tmp_path / "v.parquet", pa.Table.from_pandas(frame)))
    assert (table.votes.source_names, table.votes.item_ids) == (("a", "b"), None)


def test_texts_of_parquet_in_every_type(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    cells = ["ham", "spam", None]
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()]
    columns = {str(kind): pa.array(cells, kind) for kind in kinds}
    table = read_vote_table(parquet_of(tmp_path / "v.parquet", pa.table(columns)))
    assert said(table) == [[cell] * len(kinds) for cell in cells]
    path = parquet_of(tmp_path / "w.parquet", pa.table({"a": pa.array([b"ham", b"sp\xe4m"])}))
    with pytest.raises(InvalidVotesError, match=r"column 'a' holds bytes that are not UTF-8"):
        read_vote_table(path)


def test_dates_in_parquet_are_no_classes(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    columns = {"a": ["ham", "spam"], "when": pa.array([0, 1], pa.date32())}
    with pytest.raises(InvalidVotesError, match=r"row 0, column 'when' holds 1970-01-01, a date"):
        read_vote_table(parquet_of(tmp_path / "v.parquet", pa.table(columns)))

"""Files of votes as people have them: read as they are meant, or refused with the place; never wrong labels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.archives import write_archive
from weaklabel.formats.vote_tables import Layout, VoteTable, read_vote_table

PLAIN = "id,a,b\nx,ham,spam\ny,,ham\nz,spam,NA\n"


def read(tmp_path: Path, content: str | bytes, name: str = "votes.csv", **layout: Any) -> VoteTable:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_vote_table(path, Layout(**layout))


def refused(tmp_path: Path, content: str | bytes, name: str = "votes.csv", **layout: Any) -> str:
    with pytest.raises((InvalidVotesError, InvalidArgumentError)) as caught:
        read(tmp_path, content, name, **layout)
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert "\n" not in message
    return message


def said(table: VoteTable) -> list[list[str | None]]:
    """The votes by name, for expectations that are written by hand."""
    return [[None if code < 0 else table.classes[code] for code in row] for row in table.votes.to_dense().tolist()]


MEANT = [["ham", "spam"], [None, "ham"], ["spam", None]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("votes.csv", PLAIN),
        ("votes.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("votes.csv", PLAIN.replace(",", ";")),
        ("votes.csv", PLAIN.replace(",", "|")),
        ("votes.csv", PLAIN.replace("\n", "\r\n")),
        ("votes.csv", PLAIN.replace("\n", "\r")),
        ("votes.csv", PLAIN.replace("\n", "\n\n")),
        ("votes.csv", PLAIN.rstrip("\n")),
        ("votes.csv", PLAIN.replace(",", " , ")),
        ("votes.csv", PLAIN.replace("ham", '"ham"')),
        ("votes.tsv", PLAIN.replace(",", "\t")),
        ("votes.csv", PLAIN.replace("id", "")),
        ("votes", PLAIN),
        *(
            ("votes.csv", PLAIN.replace("NA", word))
            for word in ("NaN", "nan", "None", "null", "<NA>", "N/A", " ", '""')
        ),
        (
            "votes.jsonl",
            '{"id": "x", "a": "ham", "b": "spam"}\n\n{"id": "y", "b": "ham"}\n{"id": "z", "a": "spam", "b": null}\n',
        ),
        (
            "votes.jsonl",
            '{"b": "spam", "a": "ham", "id": "x"}\r\n{"id":"y","b":"ham","a":NaN}\r\n{"id":"z","a":"spam"}',
        ),
    ],
)
def test_wide_votes_are_read_as_they_are_meant(tmp_path: Path, name: str, content: str | bytes) -> None:
    table = read(tmp_path, content, name)
    order = [table.votes.source_names.index(source) for source in ("a", "b")]
    assert [[row[at] for at in order] for row in said(table)] == MEANT
    assert table.classes == ("ham", "spam")
    assert table.votes.item_ids is not None
    assert table.votes.item_ids.tolist() == ["x", "y", "z"]


def test_quoted_cells_hold_line_ends_and_delimiters(tmp_path: Path) -> None:
    content = 'id,text,a,b\r\n1,"two\r\nlines, ""quoted""; and more",ham,spam\r\n2,"x",spam,\r\n3,y,eggs,ham\r\n'
    table = read(tmp_path, content, sources=["a", "b"])
    assert said(table) == [["ham", "spam"], ["spam", None], ["eggs", "ham"]]
    assert "line 5, column 'b' is 'hum'" in refused(
        tmp_path, content.replace("eggs,ham", "eggs,hum"), sources=["a", "b"], classes=["ham", "spam", "eggs"]
    )


def test_gold_is_a_column_by_name(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,label\nham,spam,eggs\nham,,\nspam,ham,ham\n", gold="label")
    assert table.classes == ("eggs", "ham", "spam")  # a class that nobody votes for is one
    assert table.gold is not None
    assert table.gold.tolist() == [0, -1, 1]
    assert table.votes.source_names == ("a", "b")
    assert table.votes.item_ids is None


@pytest.mark.parametrize("cells", [("0", "1", "-1"), ("0.0", "1.0", ""), ("0", "1.0", "-1.0")])
def test_whole_numbers_are_classes_and_minus_one_abstains(tmp_path: Path, cells: tuple[str, str, str]) -> None:
    no, yes, silent = cells
    table = read(tmp_path, f"a,b\n{no},{yes}\n{silent},{yes}\n{yes},{no}\n")
    assert said(table) == [["0", "1"], [None, "1"], ["1", "0"]]


def test_minus_one_beside_words_abstains(tmp_path: Path) -> None:
    assert said(read(tmp_path, "a,b\nham,-1\nspam,ham\n")) == [["ham", None], ["spam", "ham"]]


def test_classes_that_are_numbers_are_sorted_by_size(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n10,9\n2,10\n").classes == ("2", "9", "10")


def test_minus_one_beside_one_may_mean_two_things(tmp_path: Path) -> None:
    content = "a,b\n1,-1\n-1,-1\n"
    assert "line 2, column 'b' holds -1" in refused(tmp_path, content)
    assert said(read(tmp_path, content, classes=["-1", "1"]))[0] == ["1", "-1"]
    assert said(read(tmp_path, "a,b\n1,-1\n-1,0\n", abstain=["0"])) == [["1", "-1"], ["-1", None]]


def test_a_class_may_be_called_none(tmp_path: Path) -> None:
    content = "a,b\nNone,born_in\n,None\n"
    assert said(read(tmp_path, content, classes=["None", "born_in"])) == [["None", "born_in"], [None, "None"]]
    assert "read as abstains: 'None'" in read(tmp_path, content + "x,y\n").notes


def test_numbers_beside_words_are_told(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,yes\n0,no\n")
    assert table.notes == ("classes are both numbers and words: '0', '1', 'no', 'yes'",)


def test_truth_values_beside_words_are_told(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\nTrue,ham\nspam,ham\n")
    assert table.notes == ("classes are both words and truth values: 'True', 'ham', 'spam'",)
    assert read(tmp_path, "a,b\nTrue,False\nFalse,False\n").notes == ()


def test_a_file_without_names_of_columns_is_refused_with_ids_too(tmp_path: Path) -> None:
    content = "m1,ham,spam\nm2,spam,ham\nm3,ham,ham\n"
    for layout in ({}, {"id": "m1"}):
        assert "line 1 holds labels (ham, spam), where the names" in refused(tmp_path, content, **layout)
    # Sources that are called by the class that each finds are none of that.
    own = "id,ham,spam,ann\nm1,ham,,spam\nm2,,spam,ham\n"
    assert read(tmp_path, own).votes.source_names == ("ham", "spam", "ann")


def test_a_json_array_is_refused(tmp_path: Path) -> None:
    assert "one JSON array" in refused(tmp_path, '[{"a": "x"}]', "votes.json")


@pytest.mark.parametrize(
    ("content", "layout", "expected"),
    [
        ("a,b\nham,spam\nham,spam,ham\n", {}, "votes.csv, line 3, column 3: too many: 3 cells"),
        ("a,b,c\nham,spam,ham\nham,spam\n", {}, "votes.csv, line 3, column 3: missing: 2 cells"),
        (b"a,b\nham,spam\nham,sp\xe4m\n", {}, "votes.csv, line 3, column 2: byte 0xe4 is not UTF-8"),
        ("a,b\nham,spam\n".encode("utf-16"), {}, "UTF-16"),
        (b"\x1f\x8b\x08", {}, "compressed by gzip, and damaged"),
        ("", {}, "votes.csv is empty"),
        ("\n \n", {}, "votes.csv is empty"),
        ("a,b\n", {}, "no rows"),
        ("a,a\nham,spam\n", {}, "columns 1 and 2 are both called 'a'"),
        ("a,b,\nham,spam,\n", {}, "column 3 has no name"),
        ("ham,spam\nspam,ham\n", {}, "line 1 holds labels (ham, spam)"),
        ('a,b\nham,"spam\nham,spam\n', {}, "votes.csv, line 2: "),
        ("a,b\nham,spam\nham,spma\n", {"classes": ["ham", "spam"]}, "line 3, column 'b' is 'spma', which is no class"),
        ("a,b\nham,0.25\n", {}, "line 2, column 'b' holds 0.25, a fraction"),
        ("a;b\nham;0,25\n", {}, "line 2, column 'b' holds 0,25, a fraction"),
        ("a,b\nham,ham\n", {}, "only the class 'ham'"),
        ("a,b\n,NA\n", {}, "no class"),
        ("a,b,gold\nham,spam,ham\n", {}, "--gold gold"),
        ("a,b\nham,spam\n", {"gold": "truth"}, "has no column 'truth'"),
        ("a,b\nham,spam\n", {"sources": ["c"]}, "has no column 'c'"),
        ("a,b\nham,spam\n", {"sources": ["a", "b"], "gold": "b"}, "'b' is named for two things"),
        ("id,a,b\n1,ham,spam\n1,spam,ham\n", {}, "line 3, column 'id': the id '1' is that of line 2 as well"),
        ("id,a,b\n1,ham,spam\n ,spam,ham\n", {}, "line 3, column 'id' is empty"),
        ("a,b\nham,spam\n", {"classes": ["ham", "ham"]}, "all different"),
        ("a,b\nham,spam\n", {"classes": ["ham", "spam"], "abstain": ["spam"]}, "as a class and as an abstain"),
        ("a;x,b;y\nham;1,spam;2\n", {}, "both ',' and ';' may separate"),
        ("text,a\n" + "".join(f"words {n},ham\n" for n in range(200)), {}, "column 'text' holds 200 different values"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    tmp_path: Path, content: str | bytes, layout: dict[str, Any], expected: str
) -> None:
    assert expected in refused(tmp_path, content, **layout)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": "ham"}\n{"a": ["ham"]}\n', "line 2, column 'a' holds a list"),
        ('{"a": "ham"}\n["ham"]\n', "line 2 holds '[\"ham\"]', not an object"),
        ('{"a": "ham"}\n{"a": ham}\n', "line 2: this is no JSON object"),
        ('{"a": "ham", "a": "spam"}\n', "line 1: this is no JSON object: a name stands twice"),
    ],
)
def test_json_lines_are_refused_with_their_place(tmp_path: Path, content: str, expected: str) -> None:
    assert expected in refused(tmp_path, content, "votes.jsonl")


def test_json_numbers_are_classes_and_true_is_not_one(tmp_path: Path) -> None:
    assert said(read(tmp_path, '{"a": 1, "b": 0}\n{"a": 1.0, "b": -1}\n', "v.jsonl")) == [["1", "0"], ["1", None]]
    assert read(tmp_path, '{"a": true, "b": false}\n', "v.jsonl").classes == ("False", "True")


LONG = "task,worker,label\n101,ann,cat\n205,ann,dog\n101,bob,cat\n205,cy,\n"


@pytest.mark.parametrize("layout", [{}, {"long": ["task", "worker", "label"]}])
def test_long_votes(tmp_path: Path, layout: dict[str, Any]) -> None:
    table = read(tmp_path, LONG, **layout)
    assert table.votes.item_ids is not None
    assert table.votes.item_ids.tolist() == ["101", "205"]
    assert table.votes.source_names == ("ann", "bob", "cy")
    assert said(table) == [["cat", "cat", None], ["dog", None, None]]
    assert table.id_name == "task"


def test_long_votes_with_gold(tmp_path: Path) -> None:
    table = read(tmp_path, "item,source,vote,truth\nx,a,p,q\nx,b,q,\ny,a,p,\n", gold="truth")
    assert table.gold is not None
    assert [table.gold.tolist(), table.classes] == [[1, -1], ("p", "q")]


@pytest.mark.parametrize(
    ("content", "layout", "expected"),
    [
        (LONG + "101,ann,dog\n", {}, "line 6, column 'label' is 'dog', where line 2 says 'cat' of the same"),
        (LONG + ",ann,dog\n", {}, "line 6, column 'task' is empty"),
        (LONG + "7,NULL,dog\n7,,dog\n", {}, "line 7, column 'worker' is empty"),
        (LONG, {"long": ["task", "worker"]}, "three columns"),
        (LONG, {"long": ["task", "worker", "vote"]}, "no column 'vote'"),
        (LONG, {"long": ["task", "worker", "label"], "sources": ["label"]}, "give no --sources"),
        ("i,s,l,g\nx,a,p,q\nx,b,q,p\n", {"long": ["i", "s", "l"], "gold": "g"}, "line 3, column 'g' is 'p'"),
    ],
)
def test_long_votes_are_refused_with_their_place(
    tmp_path: Path, content: str, layout: dict[str, Any], expected: str
) -> None:
    assert expected in refused(tmp_path, content, **layout)


def test_the_same_vote_twice_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, LONG + "101,ann,cat\n").votes.n_votes == 3


def test_columns_that_a_model_does_not_know_are_left_out_and_told(tmp_path: Path) -> None:
    content = "text,b,new,gold\nwhat,ham,spam,1.5\n"
    table = read(tmp_path, content, known_sources=["a", "b"], classes=["ham", "spam"])
    assert said(table) == [["ham"]]
    assert [("new" in note, "'a'" in note) for note in table.notes] == [(True, False), (False, True)]
    assert "none of the columns that the model knows" in refused(tmp_path, content, known_sources=["z"])


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "id": pa.array([7, 8, 9]),
        "a": pa.array(["ham", None, "spam"]).dictionary_encode(),
        "b": pa.array(["spam", "ham", "NA"]),
    }
    pq.write_table(pa.table(columns), path := tmp_path / "votes.parquet", row_group_size=2)
    table = read_vote_table(path)
    assert said(table) == MEANT
    assert table.votes.item_ids is not None
    assert table.votes.item_ids.tolist() == ["7", "8", "9"]
    pq.write_table(pa.table({"a": pa.array([0.0, np.nan, 1.0]), "b": pa.array([1, None, 0], pa.int8())}), path)
    assert said(read_vote_table(path)) == [["0", "1"], [None, None], ["1", "0"]]
    pq.write_table(pa.table({"a": ["ham", "hum"]}), path)
    with pytest.raises(InvalidVotesError, match=r"row 1, column 'a' is 'hum'"):
        read_vote_table(path, Layout(classes=["ham", "spam"]))


def test_archives(tmp_path: Path) -> None:
    votes = Votes.from_dense([[0, 1], [-1, 0]], 2, sources=["a", "b"], items=["x", "y"])
    write_archive(path := tmp_path / "votes.npz", votes, ["ham", "spam"], np.array([1, -1], np.int32))
    table = read_vote_table(path, Layout(gold="gold"))
    assert (table.votes, table.classes) == (votes, ("ham", "spam"))
    assert table.gold is not None
    assert table.gold.tolist() == [1, -1]
    votes.save(path)
    assert read_vote_table(path, Layout(classes=["ham", "spam"])).votes == votes
    np.savez(path, np.array([[0, 2], [-1, 1]]))
    assert read_vote_table(path).classes == ("0", "1", "2")
    np.savez(path, votes=np.array([[0, 2], [-1, 1]]), classes=np.array(["p", "q"]))
    with pytest.raises(InvalidVotesError, match=r"votes\.npz: row 0, column 1 .*label 2 is outside"):
        read_vote_table(path)
    np.savez(path, votes=np.array([["a"]], dtype=object))
    with pytest.raises(InvalidVotesError, match="cannot be read"):
        read_vote_table(path)


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a": "ham", "b": "spam"}\n')))
    assert said(read_vote_table("-")) == [["ham", "spam"]]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidVotesError, match=r"nothing\.csv cannot be read: No such file"):
        read_vote_table(tmp_path / "nothing.csv")

"""Votes out of frames of pandas, polars and pyarrow, and votes as frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from weaklabel import LabelModel, Votes, one_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import gold_of

WIDE = pd.DataFrame(
    {"ann": ["ham", "spam", None], "bob": ["ham", pd.NA, "spam"], "eve": ["spam", np.nan, ""]}, index=["a", "b", "c"]
)
CODES = [[0, 0, 1], [1, -1, -1], [-1, 1, -1]]
LONG = {
    "task": [30, 30, 30, 10, 20],
    "worker": ["ann", "bob", "eve", "ann", "bob"],
    "label": ["ham", "ham", "spam", "spam", "spam"],
}


def test_a_wide_frame_of_names() -> None:
    votes = Votes.from_pandas(WIDE)
    assert votes.classes == ("ham", "spam")
    assert votes.source_names == ("ann", "bob", "eve")
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["a", "b", "c"]
    assert votes.to_dense().tolist() == CODES
    assert Votes.from_pandas(WIDE, classes=["spam", "eggs", "ham"]).to_dense()[0].tolist() == [2, 2, 0]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_the_same_of_each_library(library: str) -> None:
    cells = {"id": ["a", "b", "c"]} | {
        name: WIDE[name].astype(object).where(WIDE[name].notna(), None).tolist() for name in WIDE
    }
    frames = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
    frame: Any = frames[library](cells)
    assert Votes.from_pandas(frame) == Votes.from_pandas(WIDE)
    long: Any = frames[library](LONG)
    votes = Votes.from_pandas(long)
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["30", "10", "20"]  # ids, not positions
    assert votes.to_dense().tolist() == CODES


def test_gold_is_matched_by_id_and_never_by_position() -> None:
    votes = Votes.from_pandas(WIDE)
    shuffled = pd.Series({"c": "spam", "a": "ham", "b": "spam"})
    seen = LabelModel(classes=votes.classes).fit(votes, gold=shuffled)
    by_place = LabelModel(classes=votes.classes).fit(votes, gold=["ham", "spam", "spam"])
    assert np.array_equal(seen.predict_proba(votes), by_place.predict_proba(votes))
    with_gold = WIDE.assign(truth=["ham", "", "spam"])
    assert Votes.from_pandas(with_gold, gold="truth") == votes
    assert gold_of(with_gold, "truth") == {"a": "ham", "b": None, "c": "spam"}


def test_gold_of_a_long_frame() -> None:
    frame = pd.DataFrame(LONG).assign(gold=["ham", "", "ham", "", "spam"])
    votes = Votes.from_pandas(frame, gold="gold")
    known = gold_of(frame, "gold", ids="task")
    assert known == {"30": "ham", "10": None, "20": "spam"}
    LabelModel(classes=votes.classes).fit(votes, gold=known)
    with pytest.raises(InvalidVotesError, match="row 2, column 'gold' says 'spam' of item '30', and 'ham'"):
        gold_of(frame.assign(gold=["ham", "", "spam", "", "spam"]), "gold", ids="task")


def test_numbers_are_names_indices_or_abstains() -> None:
    stars = pd.DataFrame({"x": [1, 5, 10], "z": [10, np.nan, 5]})
    assert Votes.from_pandas(stars).classes == ("1", "5", "10")  # by size
    assert Votes.from_pandas(stars).to_dense().tolist() == [[0, 2], [1, -1], [2, 1]]
    indices = pd.DataFrame({"x": [0, 1, -1], "z": [1, 1, 0]})
    assert Votes.from_pandas(indices, classes=["ham", "spam"]).to_dense().tolist() == indices.to_numpy().tolist()
    assert Votes.from_pandas(indices).classes == ("0", "1")
    signs = pd.DataFrame({"x": [-1, 1], "z": [1, 1]})
    with pytest.raises(InvalidVotesError, match="-1, which may be a class or an abstain"):
        Votes.from_pandas(signs)
    assert Votes.from_pandas(signs, classes=["-1", "1"]).to_dense().tolist() == [[0, 1], [1, 1]]
    assert Votes.from_pandas(pd.DataFrame({7: ["a", "b"], 3: ["b", "a"]})).source_names == ("7", "3")


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_categories_are_the_classes_in_their_order(kind: str) -> None:
    names = ["low", "middle", "high"]
    if kind == "pandas":
        kept: Any = pd.DataFrame(
            {"x": pd.Categorical(["high", "low"], names), "z": pd.Categorical(["low", None], names)}
        )
    else:
        kept = pl.DataFrame({"x": ["high", "low"], "z": ["low", None]}, schema=dict.fromkeys("xz", pl.Enum(names)))
    votes = Votes.from_pandas(kept)
    assert votes.classes == ("low", "middle", "high")
    assert votes.to_dense().tolist() == [[2, 0], [0, -1]]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("long", [False, True])
def test_votes_come_back_out_of_their_frame(sparse: bool, long: bool) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 3, (20, 4))
    ids = [f"i{at:02}" for at in range(20)]
    votes = Votes.from_dense(codes, 3, items=ids)
    frame = (votes.to_sparse() if sparse else votes).to_pandas(["a", "b", "c"], long=long)
    if not long:
        assert frame.isna().to_numpy()[3].tolist() == (codes[3] < 0).tolist()
    back = Votes.from_pandas(frame)
    assert back.classes == ("a", "b", "c")
    assert back.select_sources(votes.source_names).to_dense().tolist() == [
        codes[int(one[1:])].tolist() for one in (back.item_ids if back.item_ids is not None else [])
    ]


def test_without_names_cells_are_indices_and_objects_stay() -> None:
    cells: list[list[object]] = [[0, -1], [2, one_of(0, 1)]]
    votes = Votes.from_dense(cells, 3)
    frame = votes.to_pandas()
    assert frame.iloc[1, 1] == one_of(0, 1)
    assert frame.iloc[0, 1] is None
    plain = Votes.from_dense([[0, -1], [2, 1]], 3).to_pandas()
    assert plain["source_1"].isna().tolist() == [True, False]
    assert plain["source_0"].tolist() == [0, 2]
    with pytest.raises(InvalidArgumentError, match="3 classes, 2 names"):
        votes.to_pandas(["a", "b"])


def test_names_of_classes_stay_with_the_votes(tmp_path: Path) -> None:
    votes = Votes.from_pandas(WIDE)
    votes.save(tmp_path / "v.npz")
    parts = (
        Votes.load(tmp_path / "v.npz"),
        votes.select_items([0]),
        votes.select_sources(["bob"]),
        votes.to_sparse().select_items([1]),
        votes.to_sparse().select_sources(["eve"]),
        Votes.concatenate_items([votes.select_items([0]), votes.select_items([1])]),
        Votes.concatenate_sources([votes.select_sources(["ann"]), votes.select_sources(["eve"])]),
    )
    assert [part.classes for part in parts] == [("ham", "spam")] * 7
    with pytest.raises(InvalidVotesError, match="those of the model spam, ham"):
        LabelModel(classes=["spam", "ham"]).fit(votes)
    other = Votes.from_pandas(WIDE, classes=["spam", "ham"])
    with pytest.raises(InvalidVotesError, match="of part 1 have other names"):
        Votes.concatenate_items([votes.select_items([0]), other.select_items([1])])
    model = LabelModel(classes=votes.classes).fit(votes)
    with pytest.raises(InvalidVotesError, match="give both the same"):
        model.predict_proba(other)
    assert LabelModel(n_classes=2).fit(votes).n_iter  # a model without names takes any


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (WIDE.to_numpy(), {}, "got a ndarray; of an array make Votes.from_dense"),
        (pl.LazyFrame({"x": ["a"]}), {}, "collect it first"),
        (WIDE, {"classes": ["ham", "eggs"]}, r"row 1 \(item 'b'\), column 'ann' is 'spam', which is no class"),
        (WIDE, {"gold": "truth"}, "no column 'truth'; it has 'ann'"),
        (WIDE.assign(label="ham"), {}, "column 'label' may be known labels or a source: say gold='label'"),
        (WIDE.astype(str) + "1.5", {"classes": ["a", "b"]}, "no class"),
        (pd.DataFrame({"x": np.arange(200), "y": 1}), {}, "200 different values, which are hardly votes"),
        (pd.DataFrame({"x": [0.5, 1.0], "z": [1.0, 0.25]}), {}, "a fraction"),
        (pd.DataFrame({"x": [[0], [1]], "y": [[1], [1]]}).map(tuple), {}, "neither a name nor a number"),
        (pd.DataFrame([["a", "b"]], columns=["x", "x"]), {}, "two columns of the frame are called 'x'"),
        (pd.DataFrame({"id": ["a", "a"], "x": ["p", "q"]}), {}, "item id 'a' appears twice"),
        (pd.DataFrame({"id": ["a", None], "x": ["p", "q"]}), {}, "row 1, column 'id' is missing"),
        (pd.DataFrame(LONG | {"worker": ["ann"] * 5}), {}, "rows 1 and 2, column 'label': one source says two things"),
        (pd.DataFrame({"id": [1, 2], "judge": ["p", "q"], "label": ["p", "p"]}), {}, "hold the same values"),
        (pd.DataFrame({"x": ["a", "a"]}), {}, "only the class 'a'"),
    ],
)
def test_bad_frames_are_refused_with_the_place(frame: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_pandas(frame, **options)


def test_long_and_wide_are_not_mixed() -> None:
    with pytest.raises(InvalidArgumentError, match="give no sources"):
        Votes.from_pandas(pd.DataFrame(LONG), long=("task", "worker", "label"), ids="task")
    with pytest.raises(InvalidArgumentError, match="three columns"):
        Votes.from_pandas(pd.DataFrame(LONG), long=("task", "worker"))

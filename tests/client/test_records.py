"""Projects whose labels are not one class: records up, models and tables of labels down, equal to the library's."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from weaklabel import LabelModel, NumericModel, OrdinalModel, PreferenceModel, SequenceModel, TagModel, Taxonomy, Votes
from weaklabel_client import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Numbers,
    Ordinal,
    Preferences,
    Sequences,
    Tags,
    Tree,
    document_records,
)

pytestmark = pytest.mark.filterwarnings("ignore:Judges")


def number_votes(seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    truth = generator.normal(50, 20, 60)
    rows = [
        (f"item {i:02d}", f"w{s}", truth[i] + generator.normal(0, 2 + s))
        for i in range(60)
        for s in range(6)
        if generator.random() < 0.7
    ]
    return pd.DataFrame(rows, columns=["item", "worker", "rating"])


async def test_numbers(client: Any, project: str) -> None:
    votes = number_votes()
    gold = {"item": ["item 03", "item 07", "item 11"], "value": [40.0, 55.0, 61.0]}
    made = await client.create_project(project, label_space=Numbers())
    assert (made.label_space, made.classes) == (Numbers(), ())
    first = await client.upload_records(project, votes[:100])
    again = await client.upload_records(project, votes[:100])
    assert (first.name, first.n_rows, first.columns, first.role) == (
        again.name,
        100,
        ("item", "source", "value"),
        "votes",
    )
    rest = await client.upload_records(project, pl.from_pandas(votes[100:]))
    operation = await client.fit_records(
        project, [first, rest], gold=gold, options={"common_error": 0.2, "coverage": 0.8}
    )
    model = await operation.result()
    own = NumericModel(common_error=0.2).fit(
        votes["item"].to_numpy(),
        votes["worker"].to_numpy(),
        votes["rating"].to_numpy(),
        gold=dict(zip(*gold.values(), strict=True)),
    )
    expected = own.predict_frame(votes, coverage=0.8)
    labels = await client.read_labels(project)
    assert list(labels) == ["item", *expected.columns]
    assert labels["item"].tolist() == expected.index.tolist()
    for name in expected.columns:
        np.testing.assert_array_equal(labels[name], expected[name], err_msg=name)
    assert model.tables == ("labels",)
    assert model.record_sets[:2] == (first.name, rest.name)
    assert len(model.record_sets) == 3  # gold
    assert model.n_items == 60
    assert model.warnings == own.warnings
    assert model.summary == own.summary()
    np.testing.assert_array_equal(model.objective, own.objective)
    sources = own.sources()
    assert model.source_table["source"].tolist() == sources.index.tolist()
    for name in sources.columns:
        np.testing.assert_array_equal(model.source_table[name], sources[name], err_msg=name)
    new = pd.DataFrame({"item": ["x", "x", "y"], "source": ["w0", "w3", "w1"], "value": [10.0, 12.0, 90.0]})
    predicted = (await client.predict_records(project, new))["labels"]
    pd.testing.assert_frame_equal(
        predicted.to_pandas().set_index("item"), own.predict_frame(new, coverage=0.8), check_dtype=False
    )
    read = await client.read_records(project, first.name)
    np.testing.assert_array_equal(read["value"], votes["rating"][:100])
    assert read["source"].tolist() == votes["worker"][:100].tolist()
    assert NumericModel.from_bytes(await client.download_model(project)).params.center == own.params.center


TAGS = ("edema", "fracture", "pneumonia")


def tag_votes() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    truth = generator.random((50, 3)) < (0.3, 0.5, 0.2)
    rows: list[tuple[str, str, str | None, int]] = []
    for item in range(50):
        for source in range(5):
            before = len(rows)
            for tag in range(3):
                right = truth[item, tag] == (generator.random() < 0.85)
                if right or source % 2:
                    rows.append((f"i{item:02d}", f"s{source}", TAGS[tag], int(right)))
            if len(rows) == before:
                rows.append((f"i{item:02d}", f"s{source}", None, 1))
    return pd.DataFrame(rows, columns=["item", "source", "tag", "value"])


async def test_tags(client: Any, project: str) -> None:
    votes = tag_votes()
    known = {"i03": ["edema"], "i04": [], "i05": ["edema", "fracture"], "i06": ["pneumonia"]}
    gold = [{"item": item, "tag": tag} for item, tags in known.items() for tag in [*tags, None][: len(tags) or 1]]
    await client.create_project(project, label_space=Tags(TAGS))
    operation = await client.fit_records(project, votes, gold=gold, max_iter=40, options={"unlisted": "no"})
    model = await operation.result()
    own = TagModel(TAGS, unlisted="no", max_iter=40).fit(votes, gold=known)
    labels = await client.read_labels(project, "labels", model=model.name)
    pd.testing.assert_frame_equal(labels.to_pandas(), own.predict_frame(votes), check_exact=True)
    pd.testing.assert_frame_equal(
        model.source_table.to_pandas().set_index("source"), own.sources(), check_dtype=False, check_index_type=False
    )
    assert (model.warnings, model.n_items, model.summary) == (own.warnings, 50, own.summary())
    new = votes[votes["item"] == "i07"]
    predicted = await client.predict_records(project, new)
    pd.testing.assert_frame_equal(predicted["labels"].to_pandas(), own.predict_frame(new), check_exact=True)
    with pytest.raises(ValueError, match=r"tag: row 0 is 'flu', which is none of the labels"):
        await client.upload_records(project, {"item": ["a"], "source": ["s"], "tag": ["flu"]})


def comparisons() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    score = generator.normal(size=8)
    rows = []
    for _ in range(300):
        left, right = generator.choice(8, 2, replace=False)
        judge = int(generator.integers(5))
        odds = (score[left] - score[right]) * (1 + judge / 2) + 0.3
        winner = generator.choice(["left", "right", "tie"], p=_outcomes(odds))
        rows.append((f"m{left}", f"m{right}", f"j{judge}", winner, "left"))
    return pd.DataFrame(rows, columns=["left", "right", "judge", "winner", "shown_first"])


def _outcomes(odds: float) -> Any:
    weight = np.exp([odds / 2, -odds / 2, -0.5])
    return weight / weight.sum()


async def test_preferences(client: Any, project: str) -> None:
    votes = comparisons()
    gold = {"left": ["m0", "m1"], "right": ["m1", "m2"], "winner": ["m0", "right"]}
    await client.create_project(project, label_space=Preferences(ties=True))
    model = await (await client.fit_records(project, votes, gold=gold, seed=3)).result()
    own = PreferenceModel(ties=True, seed=3).fit(votes, gold=gold)
    assert model.tables == ("items", "pairs")
    items = (await client.read_labels(project)).to_pandas()
    pd.testing.assert_frame_equal(items, own.item_scores(), check_exact=True, check_dtype=False)
    pairs = await client.read_labels(project, "pairs")
    assert [list(pair) for pair in zip(pairs["left"], pairs["right"], strict=True)] == own.pairs_.tolist()
    columns = ["probability_left", "probability_right", "probability_tie"]
    np.testing.assert_array_equal(np.stack([pairs[name] for name in columns], 1), own.predict_proba())
    judges = model.source_table.to_pandas()
    pd.testing.assert_frame_equal(judges, own.judges(), check_exact=True, check_dtype=False)
    asked = pl.DataFrame({"left": ["m7", "m0"], "right": ["m0", "m5"]})
    found = (await client.predict_records(project, asked))["pairs"]
    np.testing.assert_array_equal(np.stack([found[name] for name in columns], 1), own.predict_proba(asked))
    with pytest.raises(InvalidArgument, match="row 0, column 'left': 'nobody' is no item of the fit"):
        await client.predict_records(project, {"left": ["nobody"], "right": ["m0"]})
    with pytest.raises(ValueError, match="winner: row 0 is 'm9', neither left, right, tie nor one of its items"):
        await client.upload_records(project, {"left": ["a"], "right": ["b"], "judge": ["j"], "winner": ["m9"]})


LENGTHS = [7, 4, 9, 5, 6, 8]


def spans() -> dict[str, list[Any]]:
    generator = np.random.default_rng(4)
    truth = [[(1, 3, "PER")], [(0, 1, "LOC")], [(2, 5, "PER"), (6, 7, "LOC")], [], [(4, 6, "LOC")], [(0, 2, "PER")]]
    votes: dict[str, list[Any]] = {}
    for source in range(4):
        votes[f"s{source}"] = [
            None if (source, at) == (3, 4) else [one for one in some if generator.random() < 0.8]
            for at, some in enumerate(truth)
        ]
    return votes


async def test_sequences(client: Any, project: str) -> None:
    votes, documents = spans(), [f"doc {at}" for at in range(6)]
    gold = [[(1, 3, "PER")], None, None, [], None, None]
    await client.create_project(project, label_space=Sequences(["PER", "LOC"], scheme="BIOES"))
    of_gold = document_records({"gold": gold}, LENGTHS, documents)
    kept = [at for at, source in enumerate(of_gold.pop("source")) if source is not None]
    model = await (
        await client.fit_records(
            project,
            document_records(votes, LENGTHS, documents),
            gold={name: [values[at] for at in kept] for name, values in of_gold.items()},
            options={"silence": "O", "decoding": "marginal"},
        )
    ).result()
    own = SequenceModel(["PER", "LOC"], scheme="BIOES", silence="O", decoding="marginal").fit(
        votes, lengths=LENGTHS, gold=gold
    )
    tokens = await client.read_labels(project, "tokens")
    probabilities = np.stack([tokens[f"probability_{tag}"] for tag in own.tags], 1)
    np.testing.assert_array_equal(probabilities, own.predict_proba(votes, lengths=LENGTHS))
    assert tokens["tag"].tolist() == [own.tags[tag] for tag in own.predict(votes, lengths=LENGTHS)]
    assert tokens["document"].tolist() == np.repeat(documents, LENGTHS).tolist()
    assert tokens["token"].tolist() == [at for length in LENGTHS for at in range(length)]
    found = await client.read_labels(project)
    expected = [
        (documents[at], *span) for at, some in enumerate(own.predict_spans(votes, lengths=LENGTHS)) for span in some
    ]
    assert list(zip(*(found[name] for name in ("document", "start", "end", "type")), strict=True)) == expected
    assert expected
    assert model.source_table["source"].tolist() == list(own.source_names)
    np.testing.assert_array_equal(model.source_table["precision"], [row.precision for row in own.summary])
    assert (model.tables, model.n_items) == (("spans", "tokens"), 6)


async def test_token_tags_are_votes_too(client: Any, project: str) -> None:
    tags = np.array([["B-PER", "B-PER", ""], ["I-PER", "O", ""], ["O", "O", "O"], ["B-LOC", "O", "B-LOC"]], object)
    lengths = [2, 2]
    rows = [
        (f"d{token // 2}", 2, f"s{source}", token % 2, token % 2 + 1, tags[token, source])
        for token in range(4)
        for source in range(3)
        if tags[token, source]
    ]
    votes = pd.DataFrame(rows, columns=["document", "tokens", "source", "start", "end", "tag"])
    await client.create_project(project, label_space=Sequences(["PER", "LOC"]))
    await (await client.fit_records(project, votes)).result()
    own = SequenceModel(["PER", "LOC"]).fit(pd.DataFrame(tags, columns=["s0", "s1", "s2"]), lengths=lengths)
    expected = own.predict_proba(pd.DataFrame(tags, columns=["s0", "s1", "s2"]), lengths=lengths)
    tokens = await client.read_labels(project, "tokens")
    np.testing.assert_array_equal(np.stack([tokens[f"probability_{tag}"] for tag in own.tags], 1), expected)
    predicted = await client.predict_records(project, votes)
    np.testing.assert_array_equal(predicted["tokens"]["probability_B-LOC"], expected[:, own.tags.index("B-LOC")])


async def test_ordered_classes(client: Any, project: str) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, 40)
    votes = np.clip(truth[:, None] + generator.integers(-1, 2, (40, 4)), 0, 2).astype(np.int8)
    votes[generator.random(votes.shape) < 0.2] = -1
    items, classes = [f"review {at}" for at in range(40)], ["bad", "fair", "good"]
    gold = np.where(np.arange(40) < 5, truth, -1)
    await client.create_project(project, classes, label_space=Ordinal())
    await client.upload_votes(project, votes, sources=["a", "b", "c", "d"], items=items)
    operation = await client.fit(project, gold=gold, items=items, options={"common_error": 0.3})
    model = await operation.result()
    named = Votes.from_dense(votes, 3, sources=["a", "b", "c", "d"], items=items)
    own = OrdinalModel(classes, common_error=0.3).fit(named, gold=gold)
    labels = (await client.read_labels(project)).to_pandas()
    expected = own.predict_frame(named)
    assert labels["item"].tolist() == items
    assert labels["label"].tolist() == expected["label"].astype(object).tolist()
    np.testing.assert_array_equal(labels["mean"], expected["mean"])
    np.testing.assert_array_equal(labels[[f"probability_{one}" for one in classes]], own.predict_proba(named))
    assert model.source_table["source"].tolist() == ["a", "b", "c", "d"]
    new = {"item": ["x", "x"], "source": ["a", "c"], "label": ["good", "fair"]}
    found = (await client.predict_records(project, new))["labels"]
    soft = own.predict_proba(Votes.from_dense([[2, 1]], 3, sources=["a", "c"]))
    np.testing.assert_array_equal([found[f"probability_{one}"][0] for one in classes], soft[0])
    with pytest.raises(FailedPrecondition, match="ReadLabelTable"):
        await client.soft_labels(project)


PARENTS = {"oak": "tree", "fir": "tree", "rose": "flower", "lily": "flower", "tree": None, "flower": None}


async def test_trees(client: Any, project: str) -> None:
    space = Tree(PARENTS)
    generator = np.random.default_rng(6)
    leaves = np.array(["oak", "fir", "rose", "lily"], object)
    truth = generator.integers(0, 4, 60)
    named = np.where(generator.random((60, 4)) < 0.8, leaves[truth][:, None], leaves[generator.integers(0, 4, (60, 4))])
    coarse = generator.random(named.shape) < 0.4
    named[coarse] = [PARENTS[name] for name in named[coarse]]
    made = await client.create_project(project, label_space=space)
    assert (made.classes, made.label_space) == (("oak", "fir", "rose", "lily"), space)
    assert (await client.create_project(project, label_space=space, exist_ok=True)).name == made.name
    with pytest.raises(AlreadyExists, match="another label space"):
        await client.create_project(project, made.classes, exist_ok=True)
    await client.upload_votes(project, space.votes(named))
    model = await (await client.fit(project, options={"threshold": 0.7})).result()
    taxonomy = Taxonomy.from_parents(PARENTS)
    votes = taxonomy.votes(named)
    own = LabelModel(classes=taxonomy.leaves).fit(votes)
    soft = await client.soft_labels(project)
    np.testing.assert_allclose(soft, own.predict_proba(votes), atol=1e-6)
    nodes = await client.read_labels(project, "nodes")
    marginals = np.stack([nodes[f"probability_{node}"] for node in taxonomy.nodes], 1)
    np.testing.assert_array_equal(marginals, taxonomy.marginals(soft))
    labels = await client.read_labels(project)
    assert labels["item"].tolist() == [str(at) for at in range(60)]
    expected = taxonomy.predict(soft, threshold=0.7)
    assert labels["node"].tolist() == [None if at < 0 else taxonomy.nodes[at] for at in expected]
    assert set(labels["level_1"]) == {"tree", "flower"}
    assert len(model.sources) == 4
    new = {"item": ["x", "x"], "source": ["source_0", "source_1"], "label": ["tree", "oak"]}
    found = (await client.predict_records(project, new))["nodes"]
    of_new = taxonomy.votes([["tree", "oak"]], sources=["source_0", "source_1"])
    np.testing.assert_allclose(found["probability_oak"], own.predict_proba(of_new)[:, 0], atol=1e-6)


async def test_exports_hold_records_and_tables(client: Any, project: str, tmp_path: Any) -> None:
    await client.create_project(project, label_space=Sequences(["PER", "LOC"]))
    votes = document_records(spans(), LENGTHS)
    records = await client.upload_records(project, votes)
    model = await (await client.fit_records(project, records, options={"silence": "O"})).result()
    await client.export_project(project, tmp_path / "out")
    copy = f"{project}-copy"
    made = await client.import_project(tmp_path / "out", copy)
    assert made.label_space == Sequences(["PER", "LOC"])
    (found,) = [one async for one in client.list_record_sets(copy)]
    assert (found.n_rows, found.columns, found.role) == (records.n_rows, records.columns, "votes")
    before = (await client.read_records(project, records.name)).columns
    for name, values in (await client.read_records(copy, found.name)).columns.items():
        np.testing.assert_array_equal(values, before[name])
    again = await client.get_model(copy)
    assert (again.tables, again.n_items, again.summary) == (model.tables, 6, model.summary)
    for table in model.tables:
        ours, theirs = await client.read_labels(project, table), await client.read_labels(copy, table)
        pd.testing.assert_frame_equal(theirs.to_pandas(), ours.to_pandas(), check_exact=True)
    first, second = [(await client.predict_records(one, votes))["spans"].to_pandas() for one in (project, copy)]
    pd.testing.assert_frame_equal(first, second)
    assert (await client.upload_records(copy, votes)).name == found.name  # the same content
    (damaged,) = (tmp_path / "out" / "records").iterdir()
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises((InvalidArgument, ValueError), match="records/"):
        await client.import_project(tmp_path / "out", f"{project}-bad")


async def test_trees_are_exported_too(client: Any, project: str, tmp_path: Any) -> None:
    space = Tree(PARENTS)
    await client.create_project(project, label_space=space)
    named = [["oak", "tree"], ["rose", "rose"], ["flower", "lily"], ["fir", "fir"]] * 5
    await client.upload_votes(project, space.votes(named), items=[f"i{at}" for at in range(20)])
    await (await client.fit(project)).result()
    await client.export_project(project, tmp_path / "out")
    copy = f"{project}-copy"
    assert (await client.import_project(tmp_path / "out", copy)).label_space == space
    for table in ("labels", "nodes"):
        ours, theirs = await client.read_labels(project, table), await client.read_labels(copy, table)
        pd.testing.assert_frame_equal(theirs.to_pandas(), ours.to_pandas(), check_exact=True)
    np.testing.assert_array_equal(await client.soft_labels(copy), await client.soft_labels(project))


async def test_an_upload_goes_on_over_broken_connections(
    connect: Any, shared_server: Any, make_proxy: Any, project: str
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    await client.create_project(project, label_space=Numbers())
    generator = np.random.default_rng(0)
    rows = 200_000
    votes = {
        "item": [f"item {at // 4}" for at in range(rows)],
        "source": [f"s{at % 4}" for at in range(rows)],
        "value": generator.normal(size=rows),
    }
    seen: list[int] = []
    proxy.cut_after(1_500_000, 1_500_000)
    records = await client.upload_records(project, votes, progress=lambda state: seen.append(state.committed_rows))
    assert proxy.n_connections >= 3
    assert (records.n_rows, seen[-1]) == (rows, rows)
    np.testing.assert_array_equal((await client.read_records(project, records.name))["value"], votes["value"])


async def test_what_cannot_be_said_is_refused_before_it_is_sent(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Numbers())
    for records, told in (
        ({"item": ["a"], "source": ["s"]}, "there is no column 'value'; there are item, source"),
        ({"item": ["a", None], "source": ["s", "s"], "value": [1, 2]}, "item: row 1 has none"),
        ({"item": ["a"], "source": ["s"], "value": ["x"]}, "value"),
        ({"item": ["a", "b"], "source": ["s"], "value": [1]}, "columns must have one length"),
        ({"item": [], "source": [], "value": []}, "there are none"),
        (np.zeros((2, 2)), "a frame with named columns"),
    ):
        with pytest.raises(ValueError, match=told):
            await client.upload_records(project, records)
    with pytest.raises(ValueError, match="'speed' is none of common_error"):
        await client.fit_records(project, "none", options={"speed": 1})
    with pytest.raises(NotFound, match='no record set "none"'):
        await client.fit_records(project, "none")
    with pytest.raises(ValueError, match="the label space numbers has none"):
        await client.create_project(f"{project}-2", ["a", "b"], label_space=Numbers())

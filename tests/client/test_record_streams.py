"""Streams of labels of records, equal to the library's on the same pieces, and what the library tells of models."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from weaklabel import NumericModel, OrdinalModel, PreferenceModel, SequenceModel, TagModel, Votes
from weaklabel_client import (
    FailedPrecondition,
    InvalidArgument,
    ModelInspection,
    Numbers,
    Ordinal,
    Preferences,
    Sequences,
    Tags,
    Tree,
    document_records,
)

pytestmark = pytest.mark.filterwarnings("ignore")
Columns = dict[str, list[Any]]
SOURCES = [f"s{at}" for at in range(4)]
CLASSES = ("low", "mid", "high")


def numbers(seed: int, items: int) -> Columns:
    rng = np.random.default_rng(seed)
    truth = rng.normal(50, 20, items)
    item, source = np.repeat(np.arange(items), 4), np.tile(np.arange(4), items)
    return {
        "item": [f"{seed}-{one}" for one in item],
        "source": [SOURCES[one] for one in source],
        "value": (truth[item] + rng.normal(0, 1 + source)).tolist(),
    }


def tags(seed: int, items: int) -> Columns:
    rng = np.random.default_rng(seed)
    columns = numbers(seed, items)
    listed = ["red", "round", "soft", None]
    return {name: columns[name] for name in ("item", "source")} | {
        "tag": [listed[one] for one in rng.integers(0, 4, 4 * items)]
    }


def preferences(seed: int, items: int) -> Columns:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 6, items)
    return {
        "left": [f"i{one}" for one in left],
        "right": [f"i{one}" for one in (left + rng.integers(1, 6, items)) % 6],
        "judge": [SOURCES[one] for one in rng.integers(0, 4, items)],
        "winner": [("left", "right")[one] for one in rng.integers(0, 2, items)],
    }


def spans(seed: int, documents: int, tokens: int = 6) -> dict[str, list[list[tuple[int, int, str]]]]:
    rng = np.random.default_rng(seed)
    return {
        source: [[(int(at), int(at) + 2, "PER")] if at % 2 else [] for at in rng.integers(0, tokens - 2, documents)]
        for source in SOURCES
    }


async def uploaded(client: Any, project: str, space: Any, model: Any, **options: Any) -> Any:
    await client.create_project(project, label_space=space, **options)
    return await client.upload_model(project, model)


async def test_numbers_and_tags_are_those_of_the_library_piece_by_piece(client: Any, project: str) -> None:
    of_numbers = NumericModel().fit(*numbers(0, 80).values())
    of_tags = TagModel(["red", "round", "soft"]).fit(*tags(0, 80).values())
    cases: tuple[tuple[str, Any, Any, Callable[[int, int], Columns]], ...] = (
        ("numbers", Numbers(), of_numbers, numbers),
        ("tags", Tags(["red", "round", "soft"]), of_tags, tags),
    )
    for name, space, model, make in cases:
        await uploaded(client, f"{project}-{name}", space, model)
        pieces = [make(at + 1, 1 + 7 * at) for at in range(12)]
        answers = [one async for one in client.predict_records_stream(f"{project}-{name}", pieces)]
        assert len(answers) == len(pieces)
        for piece, answer in zip(pieces, answers, strict=True):
            assert list(answer) == ["labels"]
            for column, values in model.predict_columns(*piece.values()).items():
                np.testing.assert_array_equal(answer["labels"][column], values)
            single = await client.predict_records(f"{project}-{name}", piece)
            assert list(single["labels"]) == list(answer["labels"])


async def test_preferences_and_sequences_too_where_answers_take_several_messages(client: Any, project: str) -> None:
    judges = PreferenceModel(ties=False).fit(preferences(0, 200))
    await uploaded(client, f"{project}-p", Preferences(ties=False), judges)
    pieces = [{name: preferences(at, 5 + at)[name] for name in ("left", "right")} for at in range(4)]
    answers = [one async for one in client.predict_records_stream(f"{project}-p", pieces)]
    for piece, answer in zip(pieces, answers, strict=True):
        found = np.array([answer["pairs"][f"probability_{side}"] for side in ("left", "right")]).T
        np.testing.assert_array_equal(found, judges.predict_proba(piece))

    reader = SequenceModel(["PER"]).fit(spans(0, 40), lengths=np.full(40, 6))
    await uploaded(client, f"{project}-s", Sequences(["PER"]), reader)
    sizes = (3, 9_000, 2, 4_000)
    documents = [document_records(spans(at, size), [6] * size) for at, size in enumerate(sizes, 1)]
    messages = 0
    async for answer in client.predict_records_stream(f"{project}-s", documents):
        size = sizes[messages]
        messages += 1
        soft = reader.predict_proba(spans(messages, size), lengths=[6] * size)
        found = np.array([answer["tokens"][f"probability_{tag}"] for tag in reader.tags]).T
        np.testing.assert_array_equal(found, soft)
        assert answer["tokens"]["document"].tolist() == [str(one) for one in range(size) for _ in range(6)]
        expected = [len(one) for one in reader.predict_spans(spans(messages, size), lengths=[6] * size)]
        assert len(answer["spans"]["start"]) == sum(expected)
    assert messages == 4


async def test_a_stream_takes_few_pieces_ahead_and_goes_on_over_broken_connections(
    connect: Any, shared_server: Any, make_proxy: Any, project: str
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    model = NumericModel().fit(*numbers(0, 80).values())
    await uploaded(client, project, Numbers(), model)
    taken: list[int] = []

    def pieces() -> Iterator[Columns]:
        for at in range(60):
            taken.append(at)
            yield numbers(at, 20)

    ahead = 0
    seen = 0
    async for answer in client.predict_records_stream(project, pieces()):
        ahead = max(ahead, len(taken) - seen)
        expected = model.predict_columns(*numbers(seen, 20).values())
        np.testing.assert_array_equal(answer["labels"]["value"], expected["value"])
        seen += 1
        if seen in (5, 30):
            proxy.cut()
        if seen == 31:  # "latest" is the model of the first piece all the same
            await client.upload_model(project, NumericModel().fit(*numbers(9, 80).values()))
    assert seen == len(taken) == 60
    assert ahead <= 12
    assert proxy.n_connections >= 3
    assert [one async for one in client.predict_records_stream(project, [])] == []


async def test_what_cannot_be_labeled_ends_a_stream_after_the_answers_before(
    client: Any, shared_server: Any, project: str
) -> None:
    await uploaded(client, project, Numbers(), NumericModel().fit(*numbers(0, 80).values()))
    good = numbers(1, 3)
    strange = good | {"source": ["nobody", *good["source"][1:]]}
    answers = client.predict_records_stream(project, [good, strange, good])
    assert list(await anext(answers)) == ["labels"]
    with pytest.raises(InvalidArgument, match="'nobody' is not among"):
        await anext(answers)
    for wrong, told in (({"item": ["a"]}, "no column 'source'"), (numbers(1, 16_400), "at most 65536 rows a piece")):
        with pytest.raises(ValueError, match=told):
            _ = [one async for one in client.predict_records_stream(project, [wrong])]


# -------------------------------------------------------------------- inspection


async def test_what_the_library_tells_of_numbers_and_preferences(client: Any, project: str) -> None:
    columns = numbers(0, 80)
    columns = {  # and a source whose values fall when those of the others rise
        "item": columns["item"] + columns["item"][::4],
        "source": columns["source"] + ["turned"] * 80,
        "value": columns["value"] + [100 - value for value in columns["value"][::4]],
    }
    model = NumericModel().fit(*columns.values())
    assert model.diagnostics.findings
    made = await uploaded(client, f"{project}-n", Numbers(), model)
    told: ModelInspection = await client.inspect_model(f"{project}-n")
    assert told.model == made.name
    assert [tuple(one) for one in told.findings] == [tuple(one) for one in model.diagnostics.findings]
    assert str(told) == str(model.diagnostics)
    own = model.diagnostics
    figures = {"effective_votes": own.effective_votes, "shared_shift": own.shared_shift, "width": own.width}
    assert told.figures == figures
    for name, values in model.source_columns().items():
        np.testing.assert_array_equal(told.tables["sources"][name], values)

    judges = PreferenceModel(ties=False).fit(preferences(0, 200))
    await uploaded(client, f"{project}-p", Preferences(ties=False), judges)
    told = await client.inspect_model(f"{project}-p")
    assert [one.message for one in told.findings] == [one.message for one in judges.diagnostics.findings]
    assert told.figures["doubt"] == judges.diagnostics.doubt
    assert told.tables["items"]["item"].tolist() == list(judges.items_)
    np.testing.assert_array_equal(told.tables["items"]["score"], judges.scores_)
    assert told.left_out == ()


async def test_what_the_library_tells_of_tags_sequences_and_ordered_classes(client: Any, project: str) -> None:
    of_tags = TagModel(["red", "round", "soft"]).fit(*tags(0, 80).values())
    await uploaded(client, f"{project}-t", Tags(["red", "round", "soft"]), of_tags)
    told = await client.inspect_model(f"{project}-t")
    assert [one.message for one in told.findings] == list(of_tags.warnings)
    assert told.tables["tags"]["tag"].tolist() == ["red", "round", "soft"]
    np.testing.assert_array_equal(told.tables["tags"]["prevalence"], of_tags.params.prevalence)

    reader = SequenceModel(["PER"]).fit(spans(0, 40), lengths=np.full(40, 6))
    await uploaded(client, f"{project}-s", Sequences(["PER"]), reader)
    told = await client.inspect_model(f"{project}-s")
    assert told.figures["tokens"] == 240
    table = told.tables["transitions"]
    for before, tag, probability in zip(table["before"], table["tag"], table["probability"], strict=True):
        assert probability == reader.transitions[reader.tags.index(before), reader.tags.index(tag)]
    assert len(table["tag"]) == len(reader.tags) ** 2

    rng = np.random.default_rng(0)
    levels = np.clip(rng.integers(0, 3, (60, 1)) + rng.integers(-1, 2, (60, 4)), 0, 2)
    ordinal = OrdinalModel(CLASSES).fit(Votes.from_dense(levels, n_classes=3, sources=SOURCES))
    await uploaded(client, f"{project}-o", Ordinal(), ordinal, classes=CLASSES)
    told = await client.inspect_model(f"{project}-o")
    assert [one.message for one in told.findings] == list(ordinal.warnings)
    table = told.tables["confusion"]
    sums: dict[tuple[str, str], float] = {}
    for source, label, vote, probability in zip(*(table[name] for name in table), strict=True):
        at = SOURCES.index(source), CLASSES.index(vote), CLASSES.index(label)  # as the library has them
        assert probability == ordinal.confusion_matrices[at]
        sums[source, label] = sums.get((source, label), 0) + probability
    np.testing.assert_allclose(list(sums.values()), 1, atol=1e-5)


async def test_models_of_classes_have_reports_of_their_own(client: Any, project: str) -> None:
    await client.create_project(f"{project}-t", label_space=Tree({"oak": "tree", "fir": "tree", "rose": None}))
    await client.upload_votes(f"{project}-t", np.random.default_rng(0).integers(0, 3, (30, 3)))
    await (await client.fit(f"{project}-t")).result(timeout=90)
    with pytest.raises(FailedPrecondition, match="AnalysisService") as caught:
        await client.inspect_model(f"{project}-t")
    assert caught.value.reason == "LABEL_SPACE_MISMATCH"
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, np.random.default_rng(0).integers(0, 2, (30, 3)))
    await (await client.fit(project)).result(timeout=90)
    with pytest.raises(FailedPrecondition, match="LabelService"):
        await client.inspect_model(project)

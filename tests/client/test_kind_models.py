"""Models of other label spaces that were fitted elsewhere: they go up, label records as the library does, come down."""

import io
import itertools
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel, NumericModel, OrdinalModel, PreferenceModel, SequenceModel, TagModel, Taxonomy, Votes
from weaklabel_client import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Numbers,
    Ordinal,
    Preferences,
    ResourceExhausted,
    Sequences,
    Tags,
    Tree,
)

pytestmark = pytest.mark.filterwarnings("ignore")
rng = np.random.default_rng(3)
ITEMS, WORKERS = np.repeat(np.arange(30), 4), np.tile(np.arange(4), 30)
ITEM, WORKER = [f"i{one:02d}" for one in ITEMS], [f"w{one}" for one in WORKERS]
NUMBER = (rng.normal(50, 20, 30)[ITEMS] + rng.normal(0, 3, 120)).round(2)
TAG = [["red", "round", None][one] for one in np.where(rng.random(120) < 0.8, ITEMS % 3, rng.integers(0, 3, 120))]
LEVEL = np.clip(ITEMS % 3 + rng.integers(-1, 2, 120), 0, 2)
LEFT, RIGHT = [f"i{one % 6}" for one in ITEMS], [f"i{one}" for one in 6 + ITEMS % 5]
WINNER = [["left", "right"][one] for one in (rng.random(120) < 0.7).astype(int)]
SPANS = {f"w{s}": [[(0, 2, "PER")] if (d + s) % 4 else [] for d in range(12)] for s in range(3)}
LENGTHS = np.full(12, 5)
CLASSES = ("low", "mid", "high")
TREE = Tree({"oak": "tree", "fir": "tree", "rose": None})


def quietly(fit: Callable[[], Any]) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return fit()


def numbers() -> NumericModel:
    return NumericModel().fit(ITEM, WORKER, NUMBER)


def tags() -> TagModel:
    return TagModel(["red", "round"]).fit(ITEM, WORKER, TAG)


def preferences() -> PreferenceModel:
    columns = {"left": LEFT, "right": RIGHT, "judge": WORKER, "winner": WINNER}
    model: PreferenceModel = quietly(lambda: PreferenceModel(ties=False).fit(columns))
    return model


def sequences() -> SequenceModel:
    model: SequenceModel = quietly(lambda: SequenceModel(["PER"]).fit(SPANS, lengths=LENGTHS))
    return model


def level_votes() -> Votes:
    return Votes.from_triples(
        ITEMS, WORKERS, LEVEL, n_classes=3, source_names=[f"w{s}" for s in range(4)], item_ids=sorted(set(ITEM))
    )


def ordinal() -> OrdinalModel:
    return OrdinalModel(CLASSES).fit(level_votes())


def leaves() -> LabelModel:
    return LabelModel(classes=["oak", "fir", "rose"]).fit(level_votes())


KINDS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "numbers": (numbers, {"label_space": Numbers()}),
    "tags": (tags, {"label_space": Tags(["red", "round"])}),
    "preferences": (preferences, {"label_space": Preferences(ties=False)}),
    "sequences": (sequences, {"label_space": Sequences(["PER"])}),
    "ordinal": (ordinal, {"label_space": Ordinal(), "classes": CLASSES}),
    "trees": (leaves, {"label_space": TREE}),
}
NEW: dict[str, dict[str, Any]] = {
    "numbers": {"item": ["x", "x"], "source": ["w0", "w3"], "value": [40.0, 44.0]},
    "tags": {"item": ["x", "x"], "source": ["w0", "w3"], "tag": ["red", "round"]},
    "preferences": {"left": ["i0", "i9"], "right": ["i7", "i2"]},
    "sequences": {
        "document": ["d", "d"],
        "tokens": [4, 4],
        "source": ["w0", "w2"],
        "start": [1, 1],
        "end": [2, 3],
        "type": ["PER", "PER"],
    },
    "ordinal": {"item": ["x", "x"], "source": ["w0", "w3"], "label": ["low", "mid"]},
    "trees": {"item": ["x", "x"], "source": ["w0", "w3"], "label": ["oak", "rose"]},
}


def expected(kind: str, model: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The first numbers of each table, by the library."""
    new = NEW[kind]
    if kind == "numbers":
        columns = model.predict_columns(new["item"], new["source"], new["value"])
        return {"labels": np.array([columns[name] for name in ("value", "low", "high")]).T}
    if kind == "tags":
        return {"labels": model.predict_columns(new["item"], new["source"], new["tag"])["probability"][:, None]}
    if kind == "preferences":
        return {"pairs": model.predict_proba(new)}
    if kind == "sequences":
        spans = {"w0": [[(1, 2, "PER")]], "w2": [[(1, 3, "PER")]]}
        return {"tokens": model.predict_proba(spans, lengths=[4])}
    labels = [[CLASSES, ("oak", "fir", "rose")][kind == "trees"].index(one) for one in new["label"]]
    votes = Votes.from_triples([0, 0], [0, 1], labels, n_classes=3, source_names=["w0", "w3"])
    soft = model.predict_proba(votes)
    if kind == "ordinal":
        return {"labels": soft}
    tree = Taxonomy.from_parents(TREE.parents, leaves=("oak", "fir", "rose"))
    return {"nodes": np.asarray(tree.marginals(soft))}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_goes_up_and_labels_records_as_the_library_does(client: Any, project: str, kind: str) -> None:
    make, space = KINDS[kind]
    await client.create_project(project, **space)
    model = make()
    uploaded = await client.upload_model(project, model)
    assert (uploaded.uploaded, uploaded.votes_version, uploaded.n_items, uploaded.tables) == (True, 0, 0, ())
    assert uploaded.n_iter == model.n_iter
    assert await client.download_model(project) == model.to_bytes()
    tables = await client.predict_records(project, NEW[kind])
    for name, numbers_of in expected(kind, model).items():
        named = {"numbers": ("value", "low", "high")}.get(kind)
        found = np.array([tables[name][one] for one in named or tables[name] if named or one.startswith("probability")])
        np.testing.assert_array_equal(found.T, numbers_of)
    if kind != "trees":
        sources = uploaded.source_table[("judge" if kind == "preferences" else "source")]
        assert sources.tolist() == list(model.judges_ if kind == "preferences" else model.source_names)
        assert uploaded.summary
    with pytest.raises(NotFound, match="has labeled nothing: PredictRecords labels records"):
        await client.read_labels(project)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_of_another_space_is_refused(client: Any, project: str, kind: str) -> None:
    _, space = KINDS[kind]
    await client.create_project(project, **space)
    for other, (make, _) in KINDS.items():
        if other != kind:
            with pytest.raises(InvalidArgument, match=r"this is not a|classes are not") as caught:
                await client.upload_model(project, make())
            assert caught.value.reason == "MODEL_FILE_UNSUITABLE"
    with pytest.raises(NotFound):
        await client.get_model(project)


async def test_what_a_space_has_is_that_of_the_model(client: Any, project: str) -> None:
    wrong: tuple[tuple[dict[str, Any], Callable[[], Any], str], ...] = (
        ({"label_space": Tags(["round", "red"])}, tags, "its 2 tags are not the 2 of the project, in order"),
        ({"label_space": Preferences(ties=True)}, preferences, "it knows no ties, and the project knows ties"),
        ({"label_space": Sequences(["PER"], "IO")}, sequences, "PER as BIO, those of the project PER as IO"),
        ({"label_space": Sequences(["LOC"])}, sequences, "its types are PER as BIO, those of the project LOC"),
        ({"label_space": Ordinal(), "classes": CLASSES[::-1]}, ordinal, "its 3 classes are not the 3 of the project"),
    )
    for at, (space, make, told) in enumerate(wrong):
        await client.create_project(f"{project}-{at}", **space)
        with pytest.raises(InvalidArgument, match=told) as caught:
            await client.upload_model(f"{project}-{at}", make())
        assert caught.value.reason == "MODEL_FILE_UNSUITABLE"


async def test_a_version_of_the_votes_is_labeled(client: Any, project: str) -> None:
    votes = level_votes()
    codes = np.full((30, 4), -1, np.int8)
    codes[ITEMS, WORKERS] = LEVEL
    names = [f"w{s}" for s in range(4)]
    for at, kind in enumerate(("ordinal", "trees")):
        make, space = KINDS[kind]
        named = f"{project}-{at}"
        await client.create_project(named, **space)
        await client.upload_votes(named, codes, sources=names, items=sorted(set(ITEM)))
        model = make()
        uploaded = await client.upload_model(named, model, votes_version=0)
        assert (uploaded.votes_version, uploaded.n_items) == (1, 30)
        labels = await client.read_labels(named)
        assert labels["item"].tolist() == sorted(set(ITEM))
        soft = model.predict_proba(votes)
        if kind == "ordinal":
            found = np.array([labels[f"probability_{name}"] for name in CLASSES]).T
            np.testing.assert_array_equal(found, soft)
        else:
            np.testing.assert_allclose(await client.soft_labels(named), soft, atol=1e-6)
            tree = Taxonomy.from_parents(TREE.parents, leaves=("oak", "fir", "rose"))
            nodes = np.array(tree.nodes)[tree.predict(soft, threshold=0.5)]
            assert labels["node"].tolist() == nodes.tolist()
    await client.create_project(project, label_space=Numbers())
    with pytest.raises(InvalidArgument, match="records have no versions"):
        await client.upload_model(project, numbers(), votes_version=0)
    await client.create_project(f"{project}-none", **KINDS["ordinal"][1])
    with pytest.raises(FailedPrecondition, match="no votes"):
        await client.upload_model(f"{project}-none", ordinal(), votes_version=0)


# ---------------------------------------------------------------------- hostile files


def parts_of(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = {name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
    return json.loads(arrays.pop("header").tobytes()), arrays


def packed(header: dict[str, Any], arrays: dict[str, Any]) -> bytes:
    made = io.BytesIO()
    np.savez(made, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return made.getvalue()


def damaged(data: bytes) -> Iterator[bytes]:
    """The file with one value changed at a time, of the header, of what stands in it, and of every array."""
    header, arrays = parts_of(data)
    odd: tuple[Any, ...] = (None, "x\n", -1, 2**70, float("nan"), [], {}, [["a"]], True, ["a", "a"])
    inner = [(key, one) for key, value in header.items() if isinstance(value, dict) for one in value]
    for key, one in [(None, key) for key in header] + inner:
        for value in odd:
            copy = json.loads(json.dumps(header))
            (copy if key is None else copy[key])[one] = value
            yield packed(copy, arrays)
    for name, array in arrays.items():
        changes = [array.astype(complex), array[..., None], np.full_like(array, 1), array[:0] if array.ndim else array]
        if array.dtype.kind == "f":
            changes += [np.full_like(array, value) for value in (np.nan, np.inf, 3e38, -3e38, -1)]
        else:
            changes += [np.full_like(array, value) for value in (100, 0)]
        for changed in changes:
            yield packed(header, arrays | {name: changed})
        yield packed(header, {key: value for key, value in arrays.items() if key != name})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "trees"])
async def test_no_damaged_model_is_an_internal_error(client: Any, project: str, kind: str) -> None:
    """Each is refused as what the caller sent, or labels: every seventh way; all with WEAKLABEL_TEST_STRIDE=1."""
    make, space = KINDS[kind]
    await client.create_project(project, **space)
    n_refused = n_taken = 0
    stride = int(os.environ.get("WEAKLABEL_TEST_STRIDE", "7"))
    for data in itertools.islice(damaged(make().to_bytes()), 0, None, stride):
        try:
            model = await client.upload_model(project, data)
        except InvalidArgument as error:
            assert error.reason == "MODEL_FILE_UNSUITABLE", error  # noqa: PT017  # of each of many
            n_refused += 1
            continue
        n_taken += 1
        for table in (await client.predict_records(project, NEW[kind], model=model.name)).values():
            for values in (table[name] for name in table):
                assert values.dtype.kind != "f" or np.isfinite(values).all()
        await client.get_model(project, model.name)
    assert n_refused > 10
    assert n_taken > 0


async def test_models_that_never_end_or_tell_too_much_are_refused(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Numbers())
    header, arrays = parts_of(numbers().to_bytes())
    for change, told in (
        ({"max_iter": 10**9}, "its max_iter is not between 1 and 100000"),
        ({"tol": -1.0}, "tol"),
        ({"tol": 0.0, "max_iter": 50_000}, "its max_iter is above 1000 while its tol is below 1e-06"),
    ):
        changed = header | {"parameters": header["parameters"] | change}
        with pytest.raises(InvalidArgument, match=told):
            await client.upload_model(project, packed(changed, arrays))
    exact = header | {"parameters": header["parameters"] | {"tol": 0.0, "max_iter": 1000}}
    assert (await client.upload_model(project, packed(exact, arrays))).uploaded
    named = header | {"source_names": ["", *header["source_names"][1:]]}
    with pytest.raises(InvalidArgument, match="data"):
        await client.upload_model(project, packed(named, arrays))


async def test_a_scheme_that_the_file_does_not_hold_takes_no_memory(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Sequences(["PER"]))
    header, arrays = parts_of(sequences().to_bytes())
    types = [f"type {at}" for at in range(100_000)]  # whose transitions would take 40 GB
    many = header | {"params": header["params"] | {"types": types}}
    wide = arrays | {"first": np.zeros(400_000, np.float32)}
    for changed in (arrays, wide):
        with pytest.raises(InvalidArgument, match="types have more than"):
            await client.upload_model(project, packed(many, changed))


async def test_what_unpacks_to_too_much_is_refused(
    start_server: Any, connect: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_MODEL_BYTES", str(2**20))
    client = connect(start_server().address)
    for at, (make, space) in enumerate(KINDS.values()):
        await client.create_project(f"{project}-{at}", **space)
        data = io.BytesIO(make().to_bytes())
        with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("more.npy", bytes(2**20 + 1))
        assert len(data.getvalue()) < 2**18
        with pytest.raises(ResourceExhausted, match="at most 1,048,576 are read") as caught:
            await client.upload_model(f"{project}-{at}", data.getvalue())
        assert caught.value.reason == "MODEL_TOO_LARGE"

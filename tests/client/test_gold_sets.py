"""Gold that names sets of classes, over the wire: fits are those of the library."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Taxonomy, Votes
from weaklabel.formats.projects import read_project
from weaklabel_client import FailedPrecondition, Ordinal, Tree, not_, one_of, soft
from weaklabel_client._inputs import chunks

CLASSES = ["a", "b", "c", "d"]
IDS = [f"item {at}" for at in range(80)]


def simulated() -> tuple[Votes, NDArray[np.int64]]:
    """Votes of five sources, of which three err together; the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 80)
    shared = rng.random(80) < 0.3
    codes = [np.where(shared ^ (rng.random(80) < 0.1), (truth + 1) % 4, truth) for _ in range(3)]
    codes += [np.where(rng.random(80) < 0.3, rng.integers(0, 4, 80), truth) for _ in range(2)]
    return Votes.from_dense(np.stack(codes, 1), 4), truth


def known(truth: NDArray[np.int64]) -> list[Any]:
    """Of every other item, in turn: its class, one of two, not a third, and two that say nothing or all."""
    gold: list[Any] = [-1] * len(truth)
    for at in range(0, 60, 2):
        label = int(truth[at])
        other = (label + 1) % 4
        said = (label, one_of(label, other), not_((label + 2) % 4), one_of(*range(4)), one_of(label))
        gold[at] = said[at // 2 % 5]
    return gold


async def fitted(client: Any, project: str, **options: Any) -> NDArray[np.float32]:
    model = await (await client.fit(project, **options)).result(timeout=120)
    probabilities: NDArray[np.float32] = await client.soft_labels(project, model=model.name)
    return probabilities


async def test_a_fit_is_that_of_the_library(client: Any, project: str) -> None:
    votes, truth = simulated()
    gold, weight = known(truth), np.where(np.arange(80) % 3 == 0, 2.0, 1.0)
    own = LabelModel(classes=CLASSES).fit(votes, gold=gold).label(votes)[0]
    labels_only = LabelModel(classes=CLASSES).fit(votes, gold=[one if isinstance(one, int) else -1 for one in gold])
    assert np.abs(own - labels_only.label(votes)[0]).max() > 1e-3  # so that the sets show
    await client.create_project(project, CLASSES)
    await client.upload_votes(project, votes, items=IDS)

    np.testing.assert_array_equal(await fitted(client, project, gold=gold, items=IDS), own)
    downloaded = LabelModel.from_bytes(await client.download_model(project))
    np.testing.assert_array_equal(downloaded.predict_proba(votes), own)
    order = np.random.default_rng(1).permutation(80).tolist()
    np.testing.assert_array_equal(await fitted(client, project, gold={IDS[at]: gold[at] for at in order}), own)
    series = pd.Series([gold[at] for at in order], index=[IDS[at] for at in order], dtype=object)
    np.testing.assert_array_equal(await fitted(client, project, gold=series), own)
    side = await client.upload_side_data(project, "gold", series)
    assert (await client.upload_side_data(project, "gold", series)).name == side.name  # the same content
    weighted = LabelModel(classes=CLASSES).fit(votes, gold=gold, gold_weight=weight).label(votes)[0]
    of_items = dict(zip(IDS, weight.tolist(), strict=True))
    np.testing.assert_array_equal(await fitted(client, project, gold=side, gold_weight=of_items), weighted)


async def test_nodes_of_a_tree_are_gold(client: Any, project: str) -> None:
    parents = {"a": "upper", "b": "upper", "c": "lower", "d": "lower", "upper": "root", "lower": "root"}
    taxonomy, tree = Taxonomy.from_parents(parents), Tree(parents)
    votes, truth = simulated()
    nodes = np.array(["upper", "upper", "lower", "lower"])[truth].tolist()
    names = [
        CLASSES[truth[at]] if at < 5 else nodes[at] if at < 40 else "root" if at < 42 else None for at in range(80)
    ]
    own = LabelModel(classes=CLASSES).fit(votes, gold=taxonomy.gold(names))
    await client.create_project(project, label_space=tree)
    await client.upload_votes(project, votes)
    found = await fitted(client, project, gold=tree.votes(names))
    np.testing.assert_array_equal(found, own.label(votes)[0])
    np.testing.assert_array_equal(await fitted(client, project, gold=taxonomy.gold(names)), found)
    table = await client.read_labels(project, "nodes")
    np.testing.assert_allclose(
        table["probability_upper"], taxonomy.marginals(found)[:, taxonomy.nodes.index("upper")], atol=1e-6
    )


async def test_what_sets_have_no_meaning_for_is_refused(client: Any, project: str) -> None:
    votes, truth = simulated()
    gold = known(truth)
    await client.create_project(project, CLASSES)
    await client.upload_votes(project, votes)
    for wrong, told in (
        ([-1, one_of(0, 4)], r"gold: item 1: one_of\(0, 4\) names class 4, outside 0..3"),
        ([not_(0, 1, 2, 3)], r"gold: item 0: not_\(0, 1, 2, 3\) leaves none of the 4 classes"),
        ([soft([0.5, 0.5, 0, 0])], "gold: classes"),
        ([0, one_of(0, 1), "a"], "gold: classes"),
    ):
        with pytest.raises(ValueError, match=told):
            await client.upload_side_data(project, "gold", wrong)
    side = await client.upload_side_data(project, "gold", gold)
    for options, told in (
        ({"gold_error": 0.1}, "gold of item 2 is one of several classes"),
        ({"gold_sampling": "by_class"}, "needs labels"),
        ({"gold_weight": np.eye(1, 80, 2)[0]}, "gold_weight: there is none above 0 for item 0, which has gold"),
    ):
        operation = await client.fit(project, gold=side, **options)
        with pytest.raises(FailedPrecondition, match=told) as caught:
            await operation.result(timeout=120)
        assert caught.value.reason == "SIDE_DATA_UNSUITABLE"
    await fitted(client, project, gold=side)
    for report in (client.score(project, side), client.source_summary(project, gold=side)):
        with pytest.raises(FailedPrecondition, match="of item 2 a set of classes is known: here labels are needed"):
            await report
    with pytest.raises(FailedPrecondition, match="of item 2 a set of classes is known"):
        await client.predict_set(project, votes)
    unknown = {at for at in range(80) if at >= 60 or at % 2 or at // 2 % 5 == 3}  # a set of all says nothing
    drawn = await client.next_to_label(project, len(unknown), gold=side)
    assert set(drawn.positions.tolist()) == unknown
    label = np.where(np.arange(80) == 2, truth, -1)  # of which the fit has seen two classes
    with pytest.raises(FailedPrecondition, match="has seen 1 of the known labels, the first of item 2") as caught:
        await client.estimate_accuracy(project, label)
    assert caught.value.reason == "GOLD_SEEN"
    await client.create_project(f"{project}-ordered", CLASSES, label_space=Ordinal())
    await client.upload_votes(f"{project}-ordered", votes)
    operation = await client.fit(f"{project}-ordered", gold=gold)
    with pytest.raises(FailedPrecondition, match=r"gold must be class indices; that of item 2 is one_of\("):
        await operation.result(timeout=120)


async def test_folders_hold_sets(client: Any, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_ROWS", 30)  # chunks of other codebooks
    votes, truth = simulated()
    gold = known(truth)
    own = LabelModel(classes=CLASSES).fit(votes, gold=gold).label(votes)[0]
    await client.create_project(project, CLASSES)
    await client.upload_votes(project, votes, items=IDS)
    side = await client.upload_side_data(project, "gold", gold, items=IDS)
    await client.upload_side_data(project, "gold", [0, 1], items=IDS[:2])  # without sets, and so without a codebook
    folder = await client.export_project(project, tmp_path / "out")
    read = read_project(folder)
    assert [one.name for one in read.manifest.files if one.name.startswith("codebooks/")] == [
        f"codebooks/{side.name.rpartition('/')[2]}.parquet"
    ]
    assert read.gold().tolist() == [0, 1, *[-1] * 78]
    found = read.gold(side.name.rpartition("/")[2])
    np.testing.assert_array_equal(LabelModel(classes=CLASSES).fit(read.votes(), gold=found).label(votes)[0], own)
    copy = f"{project}-copy"
    await client.import_project(folder, copy)
    copied = [one async for one in client.list_side_data(copy)]
    assert [one.n_rows for one in copied] == [2, 80]
    np.testing.assert_array_equal(await fitted(client, copy, gold=copied[1]), own)
    again = await client.export_project(copy, tmp_path / "again")
    for name in ("codebooks", "side_data"):
        of_first, of_second = sorted((folder / name).iterdir()), sorted((again / name).iterdir())
        assert [one.read_bytes() for one in of_first] == [one.read_bytes() for one in of_second]

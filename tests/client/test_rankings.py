"""Rankings over the wire: pairs with the column `ranking`, with the labels that the library gives of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from weaklabel import PreferenceModel
from weaklabel_client import FailedPrecondition, InvalidArgument, Preferences, comparisons_from_rankings

pytestmark = pytest.mark.filterwarnings("ignore:Judges")


def rankings(seed: int, size: int) -> dict[str, list[Any]]:
    """Columns of rankings of two to six of eight items by four judges, of whom one is careless."""
    generator = np.random.default_rng(seed)
    score = np.linspace(-1.5, 1.5, 8)
    orders, judges = [], []
    for _ in range(size):
        judge = int(generator.integers(4))
        items = generator.choice(8, int(generator.integers(2, 7)), replace=False)
        noisy = score[items] * (0.2 if judge == 3 else 2) + generator.gumbel(size=len(items))
        orders.append([f"m{at}" for at in items[np.argsort(-noisy)]])
        judges.append(f"j{judge}")
    return comparisons_from_rankings(orders, judges)


def columns_of(labels: Any, *names: str) -> NDArray[np.float64]:
    return np.stack([labels[name] for name in names], 1)


async def test_rankings_of_several_record_sets_beside_comparisons(client: Any, project: str, tmp_path: Path) -> None:
    first, ranked = pd.DataFrame(rankings(0, 60)), rankings(1, 40)  # both number their rankings from 0
    alone = {"left": ["m0", "m3"], "right": ["m7", "m2"], "judge": ["j0", "j1"], "winner": ["m7", "left"]}
    second = {name: [*values, *alone.get(name, [1.0, 1.0])] for name, values in ranked.items()}
    second["ranking"][-2:] = [None, None]
    gold = {"left": ["m7", "m6"], "right": ["m0", "m1"], "winner": ["left", "left"]}
    numbered: list[Any] = [one if one is None else 1000 + one for one in second["ranking"]]
    whole = pd.concat([first, pd.DataFrame({**second, "ranking": numbered})])
    own = PreferenceModel(ties=False, seed=5).fit(whole, gold=gold)
    as_pairs = PreferenceModel(ties=False, seed=5).fit(whole.drop(columns="ranking"), gold=gold)
    assert np.abs(own.scores_ - as_pairs.scores_).max() > 0.01  # so that the column shows

    await client.create_project(project, label_space=Preferences(ties=False))
    sets = [await client.upload_records(project, one) for one in (first, second)]
    assert sets[0].columns == ("left", "right", "judge", "winner", "weight", "ranking")
    assert (await client.upload_records(project, second)).name == sets[1].name  # the same content
    assert (await client.read_records(project, sets[1].name))["ranking"].tolist() == [
        *map(_text, second["ranking"][:-2]),
        None,
        None,
    ]
    model = await (await client.fit_records(project, sets, gold=gold, seed=5)).result()
    await _same(client, project, own)
    np.testing.assert_array_equal(model.objective, own.objective)
    downloaded = PreferenceModel.from_bytes(await client.download_model(project))
    np.testing.assert_array_equal(downloaded.scores_, own.scores_)
    pd.testing.assert_frame_equal(model.source_table.to_pandas(), own.judges(), check_exact=True, check_dtype=False)
    scores = await client.score_records(project, None, gold, metrics=["nll"])
    assert scores == {"nll": own.score(gold, "nll")}

    copy = f"{project}-copy"
    await client.export_project(project, tmp_path / "out")
    await client.import_project(tmp_path / "out", copy)
    copied = [one async for one in client.list_record_sets(copy) if one.role == "votes"][::-1]
    assert [one.columns for one in copied] == [one.columns for one in sets]
    await (await client.fit_records(copy, copied, gold=gold, seed=5)).result()
    await _same(client, copy, own)


def _text(number: Any) -> str | None:
    return None if number is None else str(number)


async def _same(client: Any, project: str, own: PreferenceModel) -> None:
    items = (await client.read_labels(project)).to_pandas()
    pd.testing.assert_frame_equal(items, own.item_scores(), check_exact=True, check_dtype=False)
    pairs = await client.read_labels(project, "pairs")
    assert [list(pair) for pair in zip(pairs["left"], pairs["right"], strict=True)] == own.pairs_.tolist()
    np.testing.assert_array_equal(columns_of(pairs, "probability_left", "probability_right"), own.predict_proba())


async def test_what_is_no_ranking_is_refused_with_its_row(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Preferences(ties=True))
    before: dict[str, list[Any]] = {
        "left": ["x"],
        "right": ["y"],
        "judge": ["j"],
        "winner": ["left"],
        "weight": [0.75],
        "ranking": ["0"],
    }
    ranked = comparisons_from_rankings([["a", "b", "c"]])
    changes: list[tuple[dict[str, list[Any]], str]] = [
        ({"winner": ["left", "right", "left"]}, "has no order: its winners go round"),
        ({"winner": ["left", "tie", "left"]}, "or there is a tie"),
        ({"winner": ["left", "left", None]}, "each pair of its 3 items once"),
        ({"right": ["b", "c", "d"]}, "each pair of its 4 items once"),
        ({"judge": ["j", "j", "k"]}, "is of several judges"),
        ({"weight": [0.75, 0.75, 1.0]}, "has pairs of unlike weight"),
        ({"shown_first": ["left", None, None]}, "has pairs of which one is shown first"),
    ]
    for change, told in changes:
        rest = {**ranked, **change}
        records: dict[str, list[Any]] = {name: [*before.get(name, [None]), *rest[name]] for name in rest}
        records["ranking"] = ["pair", "r", "r", "r"]
        operation = await client.fit_records(project, records)
        with pytest.raises(FailedPrecondition, match=f"row 1: ranking 'r' .*{told}") as caught:
            await operation.result()
        assert caught.value.reason == "RECORDS_UNSUITABLE"
    plain = {name: ranked[name] for name in ("left", "right", "judge", "winner")}
    apart = [await client.upload_records(project, one) for one in (plain | {"ranking": ["r"] * 3}, plain)]
    operation = await client.fit_records(project, apart)
    with pytest.raises(FailedPrecondition, match='same columns; "ranking" is not in all'):
        await operation.result()


async def test_rankings_are_of_votes_alone(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Preferences(ties=False))
    await (await client.fit_records(project, comparisons_from_rankings([["a", "b", "c"]] * 3))).result()
    pair = {"left": ["a"], "right": ["b"], "ranking": ["0"]}
    # The client leaves out columns that the model does not ask for.
    found = (await client.predict_records(project, pair))["pairs"]
    assert list(found) == ["left", "right", "probability_left", "probability_right"]
    for bad, told in (["a"], "ranking 0 must hold two or more"), (["a", "b", "a"], "distinct items"):
        with pytest.raises(ValueError, match=told):
            comparisons_from_rankings([bad])
    with pytest.raises(InvalidArgument, match=r"columns.4..texts.names.0.: 1 to 255 characters"):
        await client.upload_records(
            project, {"left": ["a"], "right": ["b"], "judge": ["j"], "winner": ["left"], "ranking": ["r" * 300]}
        )

"""Scores of labels of records against gold, equal to what is counted by hand on the labels that come back."""

from typing import Any

import numpy as np
import pytest

from weaklabel_client import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Numbers,
    Ordinal,
    Preferences,
    Sequences,
    Tags,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def numbers(items: int = 60) -> dict[str, list[Any]]:
    rng = np.random.default_rng(0)
    truth, item, source = rng.normal(50, 20, items), np.repeat(np.arange(items), 4), np.tile(np.arange(4), items)
    value = truth[item] + rng.normal(0, 1 + source)
    return {"item": [f"i{n:02d}" for n in item], "source": [f"s{n}" for n in source], "value": value.tolist()}


async def test_numbers_and_tags(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Numbers())
    votes = await client.upload_records(project, numbers())
    await (await client.fit_records(project, votes)).result(timeout=90)
    labels = await client.read_labels(project)
    known: dict[str, list[Any]] = {"item": ["i03", "i10", "i42"], "value": [40.0, 55.0, 61.0]}
    gold = await client.upload_records(project, known, role="gold")
    scores = await client.score_records(project, votes, gold)
    assert list(scores) == ["mae", "rmse", "bias", "crps", "nll", "coverage"]
    at = [labels["item"].tolist().index(one) for one in known["item"]]
    error = labels["value"][at] - known["value"]
    assert scores["mae"] == pytest.approx(np.abs(error).mean())
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    inside = (labels["low"][at] <= known["value"]) & (known["value"] <= labels["high"][at])
    assert scores["coverage"] == pytest.approx(inside.mean())
    assert await client.score_records(project, votes, known, metrics=["bias"]) == {"bias": pytest.approx(error.mean())}

    named = f"{project}-tags"
    await client.create_project(named, label_space=Tags(["red", "round"]))
    listed: dict[str, list[Any]] = {
        "item": [f"i{n // 3:02d}" for n in range(60)],
        "source": [f"s{n % 3}" for n in range(60)],
        "tag": [("red", "round")[(n // 3 + (n % 7 == 0)) % 2] if n % 5 else None for n in range(60)],
    }
    some = await client.upload_records(named, listed)
    await (await client.fit_records(named, some)).result(timeout=90)
    truth: dict[str, list[Any]] = {"item": ["i00", "i01", "i02", "i03"], "tag": ["red", "round", "round", None]}
    found = await client.score_records(named, some, truth, metrics=["micro_f1"])
    table = await client.read_labels(named)
    said = {(i, t) for i, t, p in zip(table["item"], table["tag"], table["probability"], strict=True) if p > 0.5}
    right = {(i, t) for i, t in zip(truth["item"], truth["tag"], strict=True) if t}
    judged = {one for one in said if one[0] in truth["item"]}
    assert found == {"micro_f1": pytest.approx(2 * len(judged & right) / (len(judged) + len(right)))}


async def test_preferences_and_sequences(client: Any, project: str) -> None:
    rng = np.random.default_rng(1)
    await client.create_project(project, label_space=Preferences(ties=False))
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b] * 3
    votes: dict[str, list[Any]] = {
        "left": [f"m{a}" for a, _ in pairs],
        "right": [f"m{b}" for _, b in pairs],
        "judge": [f"j{n % 4}" for n in range(len(pairs))],
        "winner": ["left" if (a < b) == (rng.random() < 0.8) else "right" for a, b in pairs],
    }
    await (await client.fit_records(project, votes)).result(timeout=90)
    gold: dict[str, list[Any]] = {
        "left": ["m0", "m4", "m2"],
        "right": ["m3", "m1", "m5"],
        "winner": ["left", "left", "left"],
    }
    scores = await client.score_records(project, None, gold)
    said = (await client.predict_records(project, {name: gold[name] for name in ("left", "right")}))["pairs"]
    p = said["probability_left"]
    assert scores["accuracy"] == pytest.approx((p > 0.5).mean())
    assert scores["nll"] == pytest.approx(-np.log(p).mean())
    with pytest.raises(InvalidArgument, match="none of preferences"):
        await client.score_records(project, votes, gold)

    named = f"{project}-spans"
    await client.create_project(named, label_space=Sequences(["PER"]))
    read: dict[str, list[Any]] = {
        "document": [f"d{n // 3}" for n in range(30)],
        "tokens": [4] * 30,
        "source": [f"s{n % 3}" for n in range(30)],
        "start": [int(n // 3 % 2 + (n % 11 == 0)) for n in range(30)],
        "end": [2 + int(n // 3 % 2) for n in range(30)],
        "type": ["PER"] * 30,
    }
    some = await client.upload_records(named, read)
    await (await client.fit_records(named, some)).result(timeout=90)
    of_spans: dict[str, list[Any]] = {
        "document": ["d0", "d1"],
        "tokens": [4, 4],
        "start": [0, 0],
        "end": [2, 2],
        "type": ["PER", "PER"],
    }
    scores = await client.score_records(named, some, of_spans)
    assert list(scores) == ["f1", "precision", "recall", "accuracy", "nll"]
    tokens = await client.read_labels(named, "tokens")
    true_tags = ["B-PER", "I-PER", "O", "O"] * 2
    ours = [tag for one, tag in zip(tokens["document"], tokens["tag"], strict=True) if one in ("d0", "d1")]
    assert scores["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(ours, true_tags, strict=True)]))
    spans = await client.read_labels(named, "spans")
    found = {one for one in zip(spans["document"], spans["start"], spans["end"], strict=True) if one[0] in ("d0", "d1")}
    hits = len(found & {("d0", 0, 2), ("d1", 0, 2)})
    assert (scores["precision"], scores["recall"]) == (pytest.approx(hits / len(found)), pytest.approx(hits / 2))


async def test_what_cannot_be_scored_is_refused(client: Any, project: str) -> None:
    await client.create_project(project, label_space=Numbers())
    votes = await client.upload_records(project, numbers())
    await (await client.fit_records(project, votes)).result(timeout=90)
    gold = await client.upload_records(project, {"item": ["i03"], "value": [40.0]}, role="gold")
    with pytest.raises(InvalidArgument, match="metric must be one of mae") as caught:
        await client.score_records(project, votes, gold, metrics=["f1"])
    assert caught.value.reason == "INVALID_FIELD"
    elsewhere = {"item": ["nowhere"], "value": [1.0]}
    with pytest.raises(FailedPrecondition, match="'nowhere'") as refused:
        await client.score_records(project, votes, elsewhere)
    assert refused.value.reason == "RECORDS_UNSUITABLE"
    for given, told in (((votes, votes), "records of gold, got those of votes"), ((gold, gold), "records of votes")):
        with pytest.raises(InvalidArgument, match=told):
            await client.score_records(project, *given)
    with pytest.raises(InvalidArgument, match="one record set at least"):
        await client.score_records(project, None, gold)
    with pytest.raises(NotFound, match="no record set"):
        await client.score_records(project, f"projects/{project}/recordSets/none", gold)
    named = f"{project}-levels"
    await client.create_project(named, label_space=Ordinal(), classes=["low", "high"])
    await client.upload_votes(named, np.random.default_rng(0).integers(0, 2, (20, 3)))
    await (await client.fit(named)).result(timeout=90)
    with pytest.raises(FailedPrecondition) as other:
        await client.score_records(named, f"projects/{named}/recordSets/a", f"projects/{named}/recordSets/b")
    assert other.value.reason == "LABEL_SPACE_MISMATCH"

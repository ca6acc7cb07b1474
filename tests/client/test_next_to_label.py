"""next_to_label of both clients draws what the library draws, and its weights go into a fit."""

from typing import Any

import numpy as np
import pytest

import weaklabel_client as wc
from weaklabel import LabelModel
from weaklabel_client import InvalidArgument

CLASSES = ["a", "b"]


def simulated(n_items: int = 200) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Votes [N, 4] of sources that are right in 70 % of their votes, and the truth [N]."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, n_items)
    votes = np.where(rng.random((n_items, 4)) < 0.7, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random((n_items, 4)) < 0.2, -1, votes), truth


async def test_it_draws_what_the_library_draws(client: Any, project: str) -> None:
    votes, truth = simulated()
    own = LabelModel(classes=CLASSES, seed=5).fit(votes)
    gold = np.where(np.arange(200) < 60, truth, -1)
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, votes)
    operation = await client.fit(project, seed=5)
    model = await operation.result(timeout=120)
    for given in ({}, {"gold": gold}, {"seed": 0}, {"gold": gold, "seed": 11}):
        expected = own.next_to_label(votes, 40, **given)
        drawn = await client.next_to_label(project, 40, **given)
        assert isinstance(drawn, wc.NextToLabel)
        assert (drawn.model, drawn.items) == (model.name, None)
        np.testing.assert_array_equal(drawn.positions, expected.items)
        np.testing.assert_allclose(drawn.weights, expected.weights, rtol=1e-4)
    uploaded = await client.upload_side_data(project, "gold", gold)
    again = await client.next_to_label(project, 40, gold=uploaded, seed=11, model=model.name)
    np.testing.assert_array_equal(again.positions, drawn.positions)
    with pytest.raises(InvalidArgument, match="at most the 140 items without gold, got 141"):
        await client.next_to_label(project, 141, gold=gold)
    for n in (0, 65_537):
        with pytest.raises(InvalidArgument, match="n: 1 to 65536"):
            await client.next_to_label(project, n)


async def test_its_items_and_weights_go_into_a_fit(client: Any, project: str) -> None:
    votes, truth = simulated()
    ids = [f"mail {row}" for row in range(200)]
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, votes, items=ids)
    await (await client.fit(project)).result(timeout=120)
    known: dict[str, int] = {}
    weight: dict[str, float] = {}
    for seed in range(2):
        drawn = await client.next_to_label(project, 15, gold=known or None, seed=seed)
        assert drawn.items == tuple(ids[position] for position in drawn.positions)
        assert not known.keys() & set(drawn.items)
        known |= {one: int(truth[ids.index(one)]) for one in drawn.items}
        weight |= dict(zip(drawn.items, drawn.weights.tolist(), strict=True))
    model = await (await client.fit(project, gold=known, gold_weight=weight)).result(timeout=120)
    gold, weights = np.full(200, -1), np.ones(200)
    for one, label in known.items():
        gold[ids.index(one)], weights[ids.index(one)] = label, weight[one]
    own = LabelModel(classes=CLASSES).fit(votes, gold=gold, gold_weight=weights)
    found = await client.soft_labels(project, model=model.name)
    np.testing.assert_allclose(found, own.predict_proba(votes), atol=2e-5)

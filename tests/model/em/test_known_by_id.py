"""Gold, priors and groups by the ids of items, for votes that are read in parts: the model of the fit in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.model.em.test_partitions import CUTS, Pickled, simulate
from weaklabel import LabelModel, VoteChunks, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

N, K = 12_000, 3
CODES = simulate(N, 14, K)
IDS = np.array([f"item {row}" for row in range(N)])
WHOLE = Votes.from_codes(CODES, K, sources=[str(n) for n in range(14)], items=IDS)
RNG = np.random.default_rng(1)
SHUFFLED = RNG.permutation(N)
GROUPS = np.where(np.arange(N) % 3 == 0, "north", "south")
PRIOR = np.where(RNG.random((N, 1)) < 0.5, RNG.dirichlet(np.ones(K) * 4, N), np.nan)


def chunks() -> VoteChunks:
    return VoteChunks([WHOLE.select_items(part) for part in np.split(np.arange(N), [10, 5000])], K)


def partitions() -> Pickled:
    return Pickled(CODES, K, CUTS)


def by_id(values: NDArray[Any]) -> Any:
    """In another order than the votes."""
    if values.ndim == 2:
        return pd.DataFrame(values[SHUFFLED], index=IDS[SHUFFLED], columns=[str(k) for k in range(K)])
    return pd.Series(values[SHUFFLED], index=IDS[SHUFFLED])


def gold() -> dict[str, int]:
    """Of some items, what most votes say."""
    some = np.random.default_rng(2).choice(N, 60, replace=False)
    most = [np.bincount(row[row >= 0], minlength=K).argmax() for row in CODES[some]]
    return {str(IDS[item]): int(label) for item, label in zip(some, most, strict=True)}


def same(ours: LabelModel, theirs: LabelModel, tolerance: float) -> None:
    for name in ("class_balance", "source_accuracy", "coverage"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=tolerance, err_msg=name)
    one, other = (np.asarray(model._fitted.params.sources.confusion) for model in (ours, theirs))
    np.testing.assert_allclose(one, other, atol=tolerance)


@pytest.mark.parametrize("read", [chunks, partitions])
@pytest.mark.parametrize("sample_rows", [1000, 2**16], ids=["a sample and passes", "all distinct rows"])
def test_gold(read: Any, sample_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel.model.pipeline.MOST_REPORTED", 500)  # of which class balance and accuracies are
    known = gold()
    weight = {name: 1.0 + (at % 3) for at, name in enumerate(known)}
    model, in_memory = (LabelModel(K, sample_rows=sample_rows) for _ in range(2))
    model.fit(read(), gold=known, gold_weight=weight, gold_error=0.05)
    in_memory.fit(WHOLE, gold=known, gold_weight=weight, gold_error=0.05)
    same(model, in_memory, 1e-6)
    np.testing.assert_allclose(model.predict_proba(WHOLE), in_memory.predict_proba(WHOLE), atol=1e-4)
    without = LabelModel(K, sample_rows=sample_rows).fit(WHOLE)
    assert np.abs(model.predict_proba(WHOLE) - without.predict_proba(WHOLE)).max() > 0.01


@pytest.mark.parametrize("read", [chunks, partitions])
@pytest.mark.parametrize("names", [["groups"], ["prior"], ["groups", "prior", "gold"]])
def test_priors_and_groups(read: Any, names: list[str]) -> None:
    every = {"groups": by_id(GROUPS), "prior": by_id(PRIOR), "gold": gold()}
    given: dict[str, Any] = {name: every[name] for name in names}
    model, in_memory = LabelModel(K).fit(read(), **given), LabelModel(K).fit(WHOLE, **given)
    same(model, in_memory, 1e-6)
    if "groups" in given:
        assert model._fitted.group_names == ("north", "south")
        np.testing.assert_allclose(
            np.asarray(model._fitted.group_balance), np.asarray(in_memory._fitted.group_balance), atol=1e-6
        )


@pytest.mark.parametrize("read", [chunks, partitions])
def test_a_sample_and_passes_come_near_the_fit_of_all_rows(read: Any) -> None:
    given: dict[str, Any] = {"groups": by_id(GROUPS), "prior": by_id(PRIOR)}
    in_memory = LabelModel(K).fit(WHOLE, **given)
    some = SHUFFLED[:4000]
    alone = LabelModel(K).fit(CODES[some], groups=GROUPS[some], prior=PRIOR[some])  # what a sample without passes is
    sampled = LabelModel(K, sample_rows=4000).fit(read(), **given)
    ours, of_all, of_some = (np.asarray(one._fitted.params.sources.confusion) for one in (sampled, in_memory, alone))
    assert np.abs(ours - of_all).max() < 0.001 < 0.02 < np.abs(of_some - of_all).max()


@pytest.mark.parametrize("read", [chunks, partitions])
def test_bounds_and_families_go_by_source(read: Any) -> None:
    given: dict[str, Any] = {"bounds": {"3": (0.9, 1.0)}, "families": {"1": "a", "2": "a"}}
    same(LabelModel(K).fit(read(), **given), LabelModel(K).fit(WHOLE, **given), 1e-6)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="gold: item 'nobody' is not in the votes"):
        LabelModel(K).fit(partitions(), gold={"nobody": 1, "item 3": 0})
    with pytest.raises(InvalidArgumentError, match="groups: item 'item 1' of the votes has no row"):
        LabelModel(K).fit(partitions(), groups={"item 0": "north"})
    with pytest.raises(InvalidArgumentError, match="gold of votes that are read in chunks goes by the ids of items"):
        LabelModel(K).fit(partitions(), gold=np.zeros(N, int))
    with pytest.raises(InvalidVotesError, match="these votes have none"):
        LabelModel(K).fit(VoteChunks([CODES], K), gold={"item 0": 0})
    with pytest.raises(InvalidArgumentError, match="gold_error says how often gold is wrong: gold is needed"):
        LabelModel(K).fit(partitions(), gold_error=0.1)
    for wrong, said in (
        ({"gold_weight": [1.0]}, "gold_weight of votes that are read in chunks goes by the ids"),
        ({"gold_weight": {"item 3": 0.0}}, "must be a number above 0"),
        ({"gold_sampling": "some"}, "gold_sampling must be one of"),
    ):
        votes = partitions()
        with pytest.raises(InvalidArgumentError, match=said):
            LabelModel(K).fit(votes, gold={"item 3": 0}, **wrong)
        assert votes.scanned_for == []
    twice = VoteChunks([WHOLE, WHOLE.select_items([7])], K)
    with pytest.raises(InvalidVotesError, match="item 'item 7' has several rows of votes"):
        LabelModel(K).fit(twice, gold={"item 7": 1})

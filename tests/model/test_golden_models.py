"""Model and vote files that earlier versions wrote are read, and give the soft labels that they gave then.

The folders under tests/golden/models are named after the version of the file format; tests/golden/write_models.py wrote
them. Up to format 3, hard labels came from scores of their own, which are no longer read: now they are the likeliest
classes of the soft labels, also of models in old files, so that they may differ from those recorded.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import ABSTAIN, LabelModel, Votes, one_of
from weaklabel.model import storage

MODELS = Path(__file__).parent.parent / "golden" / "models"
CASES = sorted(path.with_suffix("").with_suffix("") for path in MODELS.rglob("*.model.npz"))
SEPARATE_SCORES = {"v1", "v2", "v3"}
"""Formats whose hard labels came from scores of their own."""
TIE = 1e-6
OTHER_SHARES_OF_COPIES = 0.08
"""Up to format 3 copies shared a vote only where they agreed; now they do wherever they vote."""
ATTRIBUTES = ("class_balance", "coverage", "objective", "source_accuracy", "source_accuracy_interval", "group_balance")


def _named(case: Path) -> str:
    return f"{case.parent.name}-{case.name}"


def _arrays(source: Path | io.BytesIO) -> dict[str, NDArray[Any]]:
    with np.load(source, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _json(array: NDArray[Any]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(array.tobytes())
    return values


def _given(expected: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Side information of the prediction."""
    return {name.removeprefix("given."): values for name, values in expected.items() if name.startswith("given.")}


def test_all_kinds_of_models_are_there() -> None:
    names = {"plain", "one_coin", "groups", "features", "imprecise", "bounds_and_copies", "gold"}
    assert {case.name for case in CASES if case.parent.name == f"v{storage.VERSION}"} == {*names, "gold_and_features"}
    assert {case.name for case in CASES if case.parent.name == "v4"} == {*names, "gold_and_features"}
    assert {case.name for case in CASES if case.parent.name == "v3"} == names
    assert {case.name for case in CASES if case.parent.name == "v2"} == names
    assert {case.name for case in CASES if case.parent.name == "v1"} == {"plain", "one_coin", "gold"}


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_a_model_of_an_earlier_version_predicts_as_it_did(case: Path) -> None:
    expected = _arrays(case.with_suffix(".expected.npz"))
    votes, model = Votes.load(case.with_suffix(".votes.npz")), LabelModel.load(case.with_suffix(".model.npz"))
    soft_labels, labels = model.label(votes, **_given(expected))
    copies = case.parent.name in SEPARATE_SCORES and model.diagnostics.copies
    tolerance = OTHER_SHARES_OF_COPIES if copies else 1e-6
    np.testing.assert_allclose(soft_labels, expected["predict_proba"], rtol=0, atol=tolerance)
    highest = np.sort(soft_labels, axis=1)
    tied = highest[:, -1] - highest[:, -2] <= TIE
    np.testing.assert_array_equal(labels, np.where(tied, ABSTAIN, soft_labels.argmax(1)))
    np.testing.assert_array_equal(model.decision_function(votes, **_given(expected)), soft_labels)
    if case.parent.name not in SEPARATE_SCORES:
        np.testing.assert_array_equal(labels, expected["predict"])
        np.testing.assert_allclose(soft_labels, expected["decision_function"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_a_model_of_an_earlier_version_says_of_itself_what_it_said(case: Path) -> None:
    expected = _arrays(case.with_suffix(".expected.npz"))
    model = LabelModel.load(case.with_suffix(".model.npz"))
    for name in ATTRIBUTES:
        if name in expected:
            np.testing.assert_array_equal(getattr(model, name), expected[name], err_msg=name)
        else:
            assert getattr(model, name) is None, name
    words = _json(expected["words"])
    *findings, _ = words.pop("diagnostics").splitlines()
    now = {name: getattr(model, name) for name in words}
    assert json.loads(json.dumps(now)) == words
    assert [f"- {message}" for message in model.warnings] == (findings if model.warnings else [])


@pytest.mark.parametrize("case", [case for case in CASES if case.parent.name == f"v{storage.VERSION}"], ids=_named)
def test_a_model_is_written_under_the_keys_it_had(case: Path) -> None:
    """Loaded and saved again, a file of the current format is the same: no key was renamed, dropped or added."""
    before = _arrays(case.with_suffix(".model.npz"))
    after = _arrays(io.BytesIO(LabelModel.load(case.with_suffix(".model.npz")).to_bytes()))
    header_before, header_after = _json(before.pop("header")), _json(after.pop("header"))
    for retired in storage.RETIRED_SETTINGS:
        header_before["settings"].pop(retired, None)
    for retired in storage.RETIRED_DIAGNOSTICS:
        header_before["diagnostics"].pop(retired, None)
    assert header_after == header_before
    assert sorted(after) == sorted(before)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, err_msg=name, strict=True)


def test_votes_of_an_earlier_version_are_read_whole() -> None:
    dense, sparse = Votes.load(MODELS / "v2" / "plain.votes.npz"), Votes.load(MODELS / "v2" / "one_coin.votes.npz")
    assert (dense.shape, dense.is_sparse, dense.source_names) == ((60, 5), False, ("a", "b", "c", "d", "e"))
    assert dense.to_dense()[:3].tolist() == [[-1, 1, 1, 2, 1], [-1, 2, 1, 2, 0], [2, -1, 2, 0, -1]]
    assert (sparse.shape, sparse.is_sparse, sparse.n_classes) == ((24, 9), True, 512)
    assert [column[:4].tolist() for column in sparse.triples()] == [[0, 0, 0, 0], [0, 2, 4, 6], [428] * 4]
    mixed = Votes.load(MODELS / "v2" / "imprecise.votes.npz")
    assert [mixed.vote_at(0, source) for source in range(2)] == [one_of(1, 2), one_of(0, 1)]
    assert repr(mixed.vote_at(0, 2)) == "soft([0.15, 0.7, 0.15])"

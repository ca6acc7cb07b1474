"""What a model that was loaded can do: sets once they are calibrated, confusion matrices, models of a server."""

import io
import sys
import zipfile

import numpy as np
import pytest

from weaklabel import LabelModel
from weaklabel.errors import InvalidArgumentError, MissingExtraError, ModelFileError, NotFittedError

RNG = np.random.default_rng(1)
TRUTH = RNG.integers(0, 3, 200)
VOTES = np.where(RNG.random((200, 4)) < 0.75, TRUTH[:, None], RNG.integers(0, 3, (200, 4)))
GOLD = np.where(np.arange(200) < 60, TRUTH, -1)


def test_sets_of_a_loaded_model_are_those_of_the_saved_one() -> None:
    model = LabelModel(n_classes=3, seed=5).fit(VOTES, gold=GOLD)
    expected = model.predict_set(VOTES, 0.8)
    loaded = LabelModel.from_bytes(model.to_bytes())
    with pytest.raises(InvalidArgumentError, match="calibrate_sets"):
        loaded.predict_set(VOTES, 0.8)
    np.testing.assert_array_equal(loaded.calibrate_sets(VOTES, GOLD).predict_set(VOTES, 0.8), expected)
    np.testing.assert_array_equal(loaded.predict_set(VOTES, 0.8), expected)  # and again
    assert not np.array_equal(loaded.calibrate_sets(VOTES[:30], GOLD[:30]).predict_set(VOTES, 0.8), expected)
    with pytest.raises(InvalidArgumentError, match="gold holds no label"):
        loaded.calibrate_sets(VOTES, np.full(200, -1))
    with pytest.raises(NotFittedError):
        LabelModel(n_classes=3).calibrate_sets(VOTES, GOLD)


def test_confusion_matrices_have_the_vote_on_the_second_axis() -> None:
    votes = np.where(TRUTH[:, None] == 2, [[0, 2, 2, 2]], np.repeat(TRUTH[:, None], 4, axis=1))
    model = LabelModel(n_classes=3).fit(votes)  # source 0 says 0 where the class is 2
    matrices = model.confusion_matrices
    assert matrices is not None
    assert matrices.shape == (4, 3, 3)
    assert matrices.dtype == np.float32
    np.testing.assert_allclose(matrices.sum(1), 1, atol=1e-5)
    assert matrices[0, 0, 2] > 0.5 > matrices[0, 2, 0]
    assert LabelModel(n_classes=3, source_model="one_coin").fit(votes).confusion_matrices is None


def test_an_array_larger_than_its_file_is_refused_before_it_takes_memory() -> None:
    """A petabyte by its own account."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**47,)})
    data = io.BytesIO(LabelModel(n_classes=3).fit(VOTES).to_bytes())
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("more.npy", header.getvalue())
    with pytest.raises(ModelFileError, match="shorter than its shape"):
        LabelModel.from_bytes(data.getvalue())


def test_a_model_that_unpacks_to_more_than_asked_for_is_refused() -> None:
    data = LabelModel(n_classes=3).fit(VOTES).to_bytes()
    with pytest.raises(ModelFileError, match=r"too large.*at most 1,000"):
        LabelModel.from_bytes(data, most_bytes=1000)


def test_models_of_a_server_need_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weaklabel_client", None)
    with pytest.raises(MissingExtraError, match=r"weaklabel\[client\]"):
        LabelModel.from_server("127.0.0.1:1", "projects/spam/models/latest")

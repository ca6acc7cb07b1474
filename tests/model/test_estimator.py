"""Parameters, scores and frames of both models, against scikit-learn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.base import clone

from weaklabel import LabelModel, MajorityVote, Votes
from weaklabel.analysis.scores import Predictions, score
from weaklabel.analysis.slices import read_slices
from weaklabel.errors import InvalidArgumentError, NotFittedError

NAMES = ["ham", "spam", "eggs"]


def _problem(n_classes: int = 3, n: int = 300) -> tuple[Votes, NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, n_classes, n)
    said = np.where(rng.random((n, 5)) < 0.6, truth[:, None], rng.integers(-1, n_classes, (n, 5)))
    return Votes.from_dense(said, n_classes, items=[f"i{at}" for at in range(n)]), truth


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_are_those_of_scikit_learn(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, n_classes, 200).astype(np.int32)
    soft = np.round(rng.dirichlet(np.ones(n_classes), 200), 1)  # with ties
    soft[:, 0] += 1 - soft.sum(1)
    labels = soft.argmax(1).astype(np.int32)
    found = score(
        Predictions(soft, labels, truth, 1),
        ["accuracy", "precision", "recall", "f1", "precision_macro", "recall_macro", "f1_macro", "roc_auc", "brier"],
    )
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, labels))
    for name in ("precision", "recall", "f1"):
        of = getattr(sk, f"{name}_score")
        assert found[name] == pytest.approx(of(truth == 1, labels == 1))
        assert found[f"{name}_macro"] == pytest.approx(of(truth, labels, average="macro"))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth == 1, soft[:, 1]))
    every = score(Predictions(soft, labels, truth, None), ["roc_auc"])["roc_auc"]
    expected = sk.roc_auc_score(truth, soft if n_classes > 2 else soft[:, 1], multi_class="ovr")
    assert every == pytest.approx(expected)
    clear = np.clip(soft, 0.01, 1)
    clear /= clear.sum(1, keepdims=True)
    assert score(Predictions(clear, labels, truth, 1), ["nll"])["nll"] == pytest.approx(sk.log_loss(truth, clear))


def test_metrics_by_hand() -> None:
    soft = np.array([[0.7, 0.3], [0.7, 0.3], [0.1, 0.9], [0.5, 0.5]])
    predictions = Predictions(soft, np.array([0, 0, 1, -1], np.int32), np.array([0, 1, 1, 1], np.int32), 1)
    found = score(predictions, ["accuracy", "recall", "precision", "roc_auc", "ece"])
    assert found["accuracy"] == 0.5  # the tie is wrong
    assert found["recall"] == pytest.approx(1 / 3)
    assert found["precision"] == 1
    assert found["roc_auc"] == pytest.approx((0.5 + 1 + 1) / 3)  # a tie with the only other counts half
    assert found["ece"] == pytest.approx((abs(1.4 - 1) + abs(0.9 - 1) + abs(0.5 - 0.5)) / 4)
    alone = Predictions(soft[:1], np.array([0], np.int32), np.array([0], np.int32), 1)
    assert np.isnan(score(alone, ["roc_auc"])["roc_auc"])


@pytest.mark.parametrize("model", [LabelModel(classes=NAMES), MajorityVote(classes=NAMES)])
def test_both_models_score_alike(model: Any) -> None:
    votes, truth = _problem()
    named = pd.Series(np.array(NAMES, object)[truth], index=votes.item_ids).iloc[::-1]
    model.fit(votes, gold=named)
    soft, labels = model.label(votes)
    assert model.score(votes, named) == pytest.approx((labels == truth).mean())
    found = model.score(votes, named, metrics=["accuracy", "f1_macro", "f1", "nll"], positive="spam")
    assert list(found) == ["accuracy", "f1_macro", "f1", "nll"]
    assert found["f1"] == pytest.approx(sk.f1_score(truth == 1, labels == 1))
    assert found["nll"] == pytest.approx(-np.log(np.clip(soft[np.arange(300), truth], 1e-6, 1)).mean(), rel=1e-5)
    assert np.array_equal(model.decision_function(votes), model.predict_proba(votes))
    open_ones = labels >= 0
    assert np.array_equal(labels[open_ones], soft.argmax(1)[open_ones])
    (chunk,) = model.predict_chunks([votes])
    assert np.array_equal(chunk[1], labels)
    with pytest.raises(InvalidArgumentError, match="f1_macro"):
        model.score(votes, named, "f1")
    with pytest.raises(InvalidArgumentError, match="metric must be one of accuracy"):
        model.score(votes, named, "kappa")
    with pytest.raises(InvalidArgumentError, match="positive must be a class"):
        model.score(votes, named, positive="fish")


def test_scores_of_slices() -> None:
    votes, truth = _problem()
    model = LabelModel(classes=NAMES).fit(votes)
    gold = np.where(np.arange(300) < 250, truth, -1)
    by = pd.DataFrame({"site": np.where(np.arange(300) < 100, "a", "b"), "length": np.arange(300)})
    table = model.score_by(votes, gold, by, metrics=["accuracy", "f1_macro"])
    labels = model.predict(votes)
    assert table.columns == ("all", "site", "site", "length", "length", "length", "length")
    assert table.n_items.tolist() == [250, 100, 150, 75, 75, 75, 25]
    assert table.scores["accuracy"][2] == pytest.approx((labels == truth)[100:250].mean())
    assert table.scores["f1_macro"][1] == pytest.approx(sk.f1_score(truth[:100], labels[:100], average="macro"))
    assert table.to_pandas().loc[1, "value"] == "a"
    assert str(table).splitlines()[0].split() == ["items", "accuracy", "f1_macro"]
    ids = [f"i{at}" for at in range(300)]
    backwards = model.score_by(votes, gold, by.set_axis(ids).iloc[::-1])
    assert np.array_equal(backwards.scores["nll"], model.score_by(votes, gold, by).scores["nll"])
    with pytest.raises(InvalidArgumentError, match="by must have a value for each"):
        model.score_by(votes, gold, ["a"])


def test_slices_of_what_is_missing_and_of_numbers() -> None:
    found = read_slices(pd.Series(["x", None, "y", "x"], name="kind"), 4)
    assert [(one.column, one.value, one.items.tolist()) for one in found] == [
        ("kind", "x", [0, 3]),
        ("kind", "y", [2]),
        ("kind", "(missing)", [1]),
    ]
    quarters = read_slices(np.arange(100.0), 100)
    assert [one.value for one in quarters] == [
        "up to 24.75",
        "above 24.75, to 49.5",
        "above 49.5, to 74.25",
        "above 74.25",
    ]
    assert [len(one.items) for one in quarters] == [25] * 4


def test_frames_have_names_and_ids() -> None:
    votes, _ = _problem()
    model = LabelModel(classes=NAMES).fit(votes)
    frame = model.predict_frame(votes)
    assert frame.index[:2].tolist() == ["i0", "i1"]
    assert frame.columns.tolist() == ["label", *NAMES]
    assert np.array_equal(frame[NAMES].to_numpy(np.float32), model.predict_proba(votes))
    assert frame["label"].tolist()[:50] == [NAMES[k] if k >= 0 else np.nan for k in model.predict(votes)[:50]]
    tied = MajorityVote(classes=["label", "other"]).predict_frame(np.array([[0, 1], [1, 1]]))
    assert tied.columns.tolist() == ["label_", "label", "other"]
    assert tied["label_"].isna().tolist() == [True, False]


def test_parameters_by_the_habits_of_scikit_learn() -> None:
    made: list[Any] = [
        LabelModel(classes=NAMES, seed=3, tol=1e-3, sample_rows=None, source_model="one_coin"),
        LabelModel(n_classes=300),
        LabelModel(classes=tuple(NAMES), max_iter=7),
        MajorityVote(3, seed=4),
    ]
    for model in made:
        twin = clone(model)
        assert type(twin) is type(model)
        assert twin.get_params() == model.get_params()
        assert type(model)(**model.get_params()).classes == model.classes
    assert made[0].get_params()["source_model"] == "one_coin"
    votes, _ = _problem()
    model = LabelModel(3).fit(votes)
    assert model.__sklearn_is_fitted__()
    assert not clone(model).__sklearn_is_fitted__()
    assert model.set_params(seed=9, classes=NAMES) is model
    assert (model.seed, model.classes) == (9, tuple(NAMES))
    with pytest.raises(NotFittedError):
        model.predict(votes)
    assert model.set_params().get_params()["n_classes"] is None
    with pytest.raises(InvalidArgumentError, match="'alpha' is no parameter; they are n_classes"):
        model.set_params(alpha=1)
    with pytest.raises(InvalidArgumentError, match="tol must be"):
        model.set_params(tol=-1)

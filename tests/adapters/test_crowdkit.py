"""Frames of task, worker and label: what crowd-kit gives for them, by shape, index and, where it is defined, number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from weaklabel.adapters import crowdkit as ours
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

THEIR_WARNINGS = pytest.mark.filterwarnings("ignore")  # crowd-kit 1.4.2 uses what pandas 3 deprecates


@pytest.fixture(scope="module")
def theirs() -> Any:
    return pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")


def crowd(labels: Any = ("ham", "spam", "eggs"), n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Votes of seven workers of unlike skill, and the truth; tasks are numbers that do not count from 0."""
    rng = np.random.default_rng(seed)
    names = np.array(labels)
    truth = rng.integers(0, len(names), n)
    rows = []
    for task in rng.permutation(n).tolist():
        for worker in rng.choice(7, 4, replace=False).tolist():
            right = rng.random() < 0.55 + 0.06 * worker
            rows.append((1000 - 3 * task, f"w{worker}", names[truth[task] if right else rng.integers(0, len(names))]))
    frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
    return frame, pd.Series(names[truth], index=[1000 - 3 * at for at in range(n)])


@THEIR_WARNINGS
@pytest.mark.parametrize("labels", [("ham", "spam", "eggs"), (0, 1)])
@pytest.mark.parametrize("name", ["MajorityVote", "Wawa", "DawidSkene", "OneCoinDawidSkene"])
def test_shapes_indices_and_types_are_those_of_crowd_kit(theirs: Any, name: str, labels: Any) -> None:
    frame, truth = crowd(labels)
    here = getattr(ours, name)().fit(frame)
    there = getattr(theirs, name)().fit(frame)
    if name == "Wawa":  # crowd-kit has labels after predict, which fails with scikit-learn from 1.7 on
        there.probas_ = theirs.MajorityVote().fit(frame, there.skills_).probas_
        there.labels_ = theirs.MajorityVote().fit(frame, there.skills_).labels_
    for attribute in ("labels_", "probas_", "priors_", "errors_", "skills_"):
        other = getattr(there, attribute, None)
        if other is None:
            continue
        mine = getattr(here, attribute)
        assert type(mine) is type(other), attribute
        assert mine.index.names == other.index.names, attribute
        mine, other = mine.sort_index(), other.sort_index()
        assert mine.index.equals(other.index), attribute
        if isinstance(other, pd.DataFrame):
            other = other.sort_index(axis=1)  # with pandas 3 crowd-kit's stand by their number of votes
            assert mine.columns.tolist() == other.columns.tolist(), attribute
            assert mine.columns.names == other.columns.names, attribute
            assert mine.dtypes.tolist() == other.dtypes.tolist(), attribute
        else:
            assert mine.name == other.name, attribute
            assert mine.dtype == other.dtype, attribute
        if name in ("MajorityVote", "Wawa") and attribute != "labels_":
            exact = len(labels) == 2 or (name, attribute) == ("MajorityVote", "probas_")
            # Ties are broken by the order of the columns, which is another one of three labels.
            np.testing.assert_allclose(mine, other, atol=1e-12 if exact else 0.1, err_msg=attribute)
    agree = (here.labels_.sort_index() == there.labels_.sort_index()).mean()
    assert agree > (0.999 if name in ("MajorityVote", "Wawa") and len(labels) == 2 else 0.85)
    assert (here.labels_ == truth.loc[here.labels_.index]).mean() > 0.75
    assert here.labels_.index.tolist() == frame["task"].unique().tolist()


def test_predictions_are_what_is_kept() -> None:
    frame, _ = crowd()
    model = ours.DawidSkene()
    pd.testing.assert_series_equal(model.fit_predict(frame), model.labels_)
    pd.testing.assert_frame_equal(model.fit_predict_proba(frame), model.probas_)
    assert np.allclose(model.probas_.sum(axis=1), 1)
    by_column = model.errors_.groupby("worker").sum()
    assert np.allclose(by_column, 1)  # a worker's votes on tasks of a label
    assert len(model.loss_history_) == model.model_.n_iter
    wawa = ours.Wawa().fit(frame)
    pd.testing.assert_series_equal(wawa.predict(frame), wawa.labels_)
    pd.testing.assert_frame_equal(wawa.predict_proba(frame), wawa.probas_)


def test_known_labels_are_learned_from() -> None:
    """Workers who mistake one label for the other: only known labels can tell."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 200)
    wrong = [(task, f"w{j}", 1 - truth[task] if j < 3 else truth[task]) for task in range(200) for j in range(5)]
    frame = pd.DataFrame(wrong, columns=["task", "worker", "label"])
    known = pd.Series([*truth[:60].tolist(), 1], index=[*range(60), 99999])
    labels = ours.DawidSkene().fit_predict(frame, true_labels=known)
    assert (labels.to_numpy() == truth).mean() > 0.95
    assert (ours.MajorityVote().fit_predict(frame).to_numpy() == truth).mean() < 0.05


@THEIR_WARNINGS
def test_skills_weigh_votes(theirs: Any) -> None:
    """The example of crowd-kit's docstring."""
    rows = [("t1", "p1", 0), ("t1", "p2", 0), ("t1", "p3", 1), ("t2", "p1", 1), ("t2", "p2", 0), ("t2", "p3", 1)]
    frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
    skills = pd.Series({"p1": 0.5, "p2": 0.7, "p3": 0.4})
    cases: list[tuple[pd.Series[Any], dict[str, Any]]]
    cases = [(skills, {}), (skills[:2], {"on_missing_skill": "ignore"})]
    for given, kwargs in cases:
        mine = ours.MajorityVote(**kwargs).fit(frame, given)
        other = theirs.MajorityVote(**kwargs).fit(frame, given)
        pd.testing.assert_frame_equal(mine.probas_.sort_index(), other.probas_.sort_index())
    valued = ours.MajorityVote(0.4, "value").fit(frame, skills[:2])
    pd.testing.assert_frame_equal(valued.probas_, ours.MajorityVote().fit(frame, skills).probas_)


@THEIR_WARNINGS
def test_alpha_is_that_of_crowd_kit() -> None:
    metrics = pytest.importorskip("crowdkit.metrics.data", reason="crowd-kit is not installed")
    frame, _ = crowd()
    assert ours.alpha_krippendorff(frame) == pytest.approx(metrics.alpha_krippendorff(frame), abs=1e-9)


def test_rows_without_a_label_are_left_out() -> None:
    rows = [(1, "a", "x"), (1, "b", None), (2, "a", "y"), (2, "a", "y"), (3, "b", None), (2, "b", "y")]
    frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
    assert ours.MajorityVote().fit_predict(frame).to_dict() == {1: "x", 2: "y"}
    assert ours.MajorityVote().fit(frame).skills_.to_dict() == {"a": 1, "b": 1}


def untyped(value: Any) -> Any:
    """What type checkers would refuse."""
    return value


def _frame(*rows: tuple[Any, Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["task", "worker", "label"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.MajorityVote().fit(untyped([1])), "data must be a pandas DataFrame, got a list"),
        (lambda: ours.MajorityVote().fit(pd.DataFrame({"item": [1]})), "one column 'task'; it has 'item': rename"),
        (lambda: ours.DawidSkene().fit(_frame((1, "a", 0), (None, "a", 1))), "row 1, column 'task' is missing"),
        (lambda: ours.DawidSkene().fit(_frame((1, "a", 0), (2, None, 1))), "row 1, column 'worker' is missing"),
        (lambda: ours.DawidSkene().fit(_frame((1, "a", 0), (2, "a", 0))), "only the label 0"),
        (lambda: ours.DawidSkene().fit(_frame((1, "a", None))), "no label"),
        (lambda: ours.Wawa().fit(_frame((1, "a", 0), (2, "a", 1), (1, "a", 1))), "rows 0 and 2: one worker says two"),
    ],
)
def test_bad_frames_are_refused_with_the_place(call: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        call()


GOOD = _frame((1, "a", "x"), (1, "b", "y"), (2, "a", "y"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.DawidSkene(n_iter=0), "max_iter"),
        (
            lambda: ours.DawidSkene(initial_error_strategy=untyped("assign")),
            "initial_error_strategy has no meaning here",
        ),
        (lambda: ours.DawidSkene().fit(GOOD, initial_error=untyped(GOOD)), "initial_error is not taken"),
        (lambda: ours.DawidSkene().fit(GOOD, pd.Series({2: "z"})), "true_labels of task 2 is 'z', which no worker"),
        (lambda: ours.DawidSkene().fit(GOOD, untyped(["x", "y"])), "true_labels must be a pandas Series"),
        (lambda: ours.MajorityVote(on_missing_skill="value"), "with a default_skill"),
        (lambda: ours.MajorityVote().fit(GOOD, pd.Series({"a": 1.0})), "worker 'b' has no skill"),
        (
            lambda: ours.MajorityVote(on_missing_skill="ignore").fit(GOOD, pd.Series({"b": 1.0})),
            "task 2 has no vote of a worker with a skill",
        ),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        call()


def test_names_that_are_not_here_say_what_is() -> None:
    with pytest.raises(ImportError, match="no GLAD: DawidSkene is the model"):
        from weaklabel.adapters.crowdkit import GLAD  # noqa: F401
    with pytest.raises(AttributeError, match=r"call fit\(data\) first"):
        ours.DawidSkene().labels_  # noqa: B018  # looked up for its error
    assert not hasattr(ours.MajorityVote(), "priors_")

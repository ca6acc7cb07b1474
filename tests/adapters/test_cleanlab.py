"""cleanlab's functions: what it gives for the same frames, by name, shape, type and, where it is defined, number."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from weaklabel.adapters import AdapterWarning
from weaklabel.adapters import cleanlab as ours
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

NAN = float("nan")


@pytest.fixture(scope="module")
def annotated() -> tuple[pd.DataFrame, Any, Any]:
    """Labels of five annotators on 90 items of three classes, a classifier's probabilities, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 90)
    labels = np.where(rng.random((90, 5)) < [0.5, 0.6, 0.7, 0.8, 0.9], truth[:, None], rng.integers(0, 3, (90, 5)))
    said = np.where(rng.random((90, 5)) < 0.6, labels, np.nan)
    silent = np.isnan(said).all(1)
    said[silent, 0] = labels[silent, 0]
    probabilities = 0.6 * np.eye(3)[np.where(rng.random(90) < 0.8, truth, rng.integers(0, 3, 90))]
    frame = pd.DataFrame(said, columns=list("abcde"), index=[f"t{at}" for at in range(90)])
    return frame, probabilities + 0.4 * rng.dirichlet(np.ones(3), 90), truth


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["best_quality", "majority_vote"])
def test_names_shapes_and_types_are_those_of_cleanlab(annotated: Any, method: Any) -> None:
    theirs = pytest.importorskip("cleanlab.multiannotator", reason="cleanlab is not installed")
    frame, p, truth = annotated
    here = ours.get_label_quality_multiannotator(frame, p, consensus_method=method, verbose=False)
    there = theirs.get_label_quality_multiannotator(frame, p, consensus_method=method, verbose=False)
    assert here.keys() == there.keys()
    for key, other in there.items():
        mine = here[key]
        assert mine.columns.tolist() == other.columns.tolist(), key
        assert mine.dtypes.tolist() == other.dtypes.tolist(), key
        assert mine.sort_index().index.tolist() == other.sort_index().index.tolist(), key
    pd.testing.assert_series_equal(here["label_quality"]["num_annotations"], there["label_quality"]["num_annotations"])
    np.testing.assert_array_equal(here["detailed_label_quality"].isna(), there["detailed_label_quality"].isna())
    n_labels = [one["annotator_stats"]["num_examples_labeled"].sort_index().to_dict() for one in (here, there)]
    assert n_labels[0] == n_labels[1]
    consensus = here["label_quality"]["consensus_label"]
    if method == "majority_vote":
        pd.testing.assert_series_equal(consensus, there["label_quality"]["consensus_label"])
        pd.testing.assert_frame_equal(
            here["label_quality"][["annotator_agreement"]], there["label_quality"][["annotator_agreement"]]
        )
        columns = ["agreement_with_consensus"]
        pd.testing.assert_frame_equal(
            here["annotator_stats"][columns].sort_index(), there["annotator_stats"][columns].sort_index()
        )
    else:
        assert (consensus == truth).mean() > 0.85
        assert here["annotator_stats"].index[0] in "ab"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_majorities_and_ties_are_those_of_cleanlab(annotated: Any) -> None:
    theirs = pytest.importorskip("cleanlab.multiannotator", reason="cleanlab is not installed")
    frame, p, _ = annotated
    for given, belief in ((frame, p), (frame, None), (frame.to_numpy(), p)):
        expected = theirs.get_majority_vote_label(given, belief, verbose=False)
        found = ours.get_majority_vote_label(given, belief)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    long = frame.reset_index(names="task").melt("task", var_name="annotator", value_name="label").dropna()
    pd.testing.assert_frame_equal(ours.convert_long_to_wide_dataset(long), theirs.convert_long_to_wide_dataset(long))
    scores = ours.get_active_learning_scores(frame, p, p[:4])
    assert [one.shape for one in scores] == [one.shape for one in theirs.get_active_learning_scores(frame, p, p[:4])]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_label_issues_in_the_manner_of_cleanlab(annotated: Any) -> None:
    filters = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    rank = pytest.importorskip("cleanlab.rank", reason="cleanlab is not installed")
    _, p, truth = annotated
    labels = truth.copy()
    labels[:8] = (labels[:8] + 1) % 3
    mask, there = ours.find_label_issues(labels, p), filters.find_label_issues(labels, p, n_jobs=1)
    assert (mask.dtype, mask.shape) == (there.dtype, there.shape)
    assert mask[:8].mean() > 0.5 > mask[8:].mean()
    ranked = ours.find_label_issues(labels, p, return_indices_ranked_by="self_confidence")
    assert sorted(ranked.tolist()) == np.flatnonzero(mask).tolist()
    for method in ("self_confidence", "normalized_margin"):
        np.testing.assert_allclose(
            ours.get_label_quality_scores(labels, p, method=method),
            rank.get_label_quality_scores(labels, p, method=method),
        )


def test_without_a_classifier_votes_speak_alone(annotated: Any) -> None:
    frame, p, truth = annotated
    alone = ours.get_label_quality_multiannotator(frame, return_detailed_quality=False, return_annotator_stats=False)
    assert list(alone) == ["label_quality"]
    with_p = ours.get_label_quality_multiannotator(frame, p)["label_quality"]
    right = [(one["consensus_label"] == truth).mean() for one in (alone["label_quality"], with_p)]
    assert right[0] < right[1]
    with pytest.warns(AdapterWarning, match="calibrate_probs has no meaning here; soft labels are calibrated anyway"):
        ours.get_label_quality_multiannotator(frame, p, calibrate_probs=True)
    assert ours.get_active_learning_scores(frame)[1].shape == (0,)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["spam"], [0]], r"row 0 \(item 0\), column 0 is 'spam': class indices"),
        ([[1], [0.5]], r"row 1 \(item 1\), column 0 is"),
        ([[1, 0], [-1, 0]], r"row 1 \(item 1\), column 0"),
        ([[1, NAN], [NAN, NAN]], r"row 1 \(item 1\) has no label"),
    ],
)
def test_bad_labels_are_refused_with_the_place(labels: Any, message: str) -> None:
    for function in (ours.get_majority_vote_label, ours.get_label_quality_multiannotator):
        with pytest.raises(InvalidVotesError, match=message):
            function(pd.DataFrame(labels, dtype=object))


TWO = pd.DataFrame([[0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.get_label_quality_multiannotator(TWO, return_weights=True), "there are no weights"),
        (lambda: ours.get_label_quality_multiannotator(TWO, quality_method="x"), "quality_method 'crowdlab'"),
        (lambda: ours.get_label_quality_multiannotator(TWO, [[0.5, 0.5]]), "with N = 2 and K of 2 or more"),
        (lambda: ours.get_label_quality_multiannotator(TWO, votes=1), "no argument 'votes'"),
        (lambda: ours.get_active_learning_scores(TWO, None, [0.5]), r"must be \[U, 2\]"),
        (lambda: ours.find_label_issues([0], [[1.0, 0.0]], multi_label=True), "find_multilabel_issues"),
        (lambda: ours.find_label_issues([0], [[1.0, 0.0]], return_indices_ranked_by="x"), "None or 'self_confidence'"),
        (lambda: ours.get_label_quality_scores([0, -1], [[1.0, 0.0]] * 2), "label of item 1 is missing"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        call()


def test_a_long_frame_with_a_label_twice_is_refused() -> None:
    long = pd.DataFrame({"task": [1, 1], "annotator": ["a", "a"], "label": [0, 1]})
    with pytest.raises(InvalidVotesError, match="row 1: annotator 'a' labels task 1 twice"):
        ours.convert_long_to_wide_dataset(long)
    with pytest.raises(InvalidVotesError, match="column 'annotator'"):
        ours.convert_long_to_wide_dataset(long[["task", "label"]])

"""A script in the style of Snorkel's spam tutorial runs with other imports, and says what Snorkel says."""

import pickle
import textwrap
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import weaklabel
from weaklabel.adapters import AdapterWarning
from weaklabel.adapters import snorkel as ours
from weaklabel.adapters.snorkel import (
    LabelingFunction,
    LabelModel,
    LFAnalysis,
    LFApplier,
    MajorityLabelVoter,
    PandasLFApplier,
    Scorer,
    from_snorkel,
    get_label_buckets,
    get_label_instances,
    labeling_function,
    metric_score,
    nlp_labeling_function,
    preds_to_probs,
    preprocessor,
    probs_to_preds,
    slicing_function,
)
from weaklabel.errors import InvalidArgumentError, LabelingFunctionError, ModelFileError, NotFittedError

THEIRS = """
from snorkel.analysis import Scorer, get_label_buckets, metric_score
from snorkel.labeling import LabelingFunction, LFAnalysis, PandasLFApplier
from snorkel.labeling import filter_unlabeled_dataframe, labeling_function
from snorkel.labeling.model import LabelModel, MajorityLabelVoter
from snorkel.preprocess import preprocessor
from snorkel.slicing import PandasSFApplier, slice_dataframe, slicing_function
from snorkel.utils import preds_to_probs, probs_to_preds
"""
OURS = """
from weaklabel.adapters.snorkel import (
    LFAnalysis, LabelModel, LabelingFunction, MajorityLabelVoter, PandasLFApplier, PandasSFApplier, Scorer,
    filter_unlabeled_dataframe, get_label_buckets, labeling_function, metric_score, preds_to_probs, preprocessor,
    probs_to_preds, slice_dataframe, slicing_function,
)
"""
SCRIPT = """
ABSTAIN, HAM, SPAM = -1, 0, 1


@labeling_function()
def check_out(x):
    return SPAM if "check out" in x.text.lower() else ABSTAIN


@labeling_function()
def short_comment(x):
    return HAM if len(x.text.split()) < 5 else ABSTAIN


@preprocessor(memoize=True)
def polarity(x):
    x.polarity = x.text.count("love") - x.text.count("hate")
    return x


@labeling_function(pre=[polarity])
def positive(x):
    return HAM if x.polarity > 0 else ABSTAIN


def keyword_lookup(x, keywords, label):
    return label if any(word in x.text.lower() for word in keywords) else ABSTAIN


def make_keyword_lf(keywords, label=SPAM):
    return LabelingFunction(
        name=f"keyword_{keywords[0]}", f=keyword_lookup, resources=dict(keywords=keywords, label=label)
    )


lfs = [check_out, short_comment, positive, make_keyword_lf(["my", "channel"]), make_keyword_lf(["http"]),
       make_keyword_lf(keywords=["song"], label=HAM)]
applier = PandasLFApplier(lfs=lfs)
L_train = applier.apply(df=df_train, progress_bar=False)
L_test, meta = applier.apply(df=df_test, progress_bar=False, return_meta=True)
Y_test = df_test.label.values
coverage = (L_train != ABSTAIN).mean(axis=0)
analysis = LFAnalysis(L=L_train, lfs=lfs)
summary = analysis.lf_summary()
judged = LFAnalysis(L_test, lfs).lf_summary(Y_test, est_weights=np.arange(6.0))
spam_by_keyword = df_train.iloc[L_train[:, 3] == SPAM]
buckets = get_label_buckets(L_train[:, 0], L_train[:, 4])

majority_model = MajorityLabelVoter()
preds_train = majority_model.predict(L=L_train)
majority_acc = majority_model.score(L=L_test, Y=Y_test, tie_break_policy="random")["accuracy"]
majority_many = majority_model.score(L=L_test, Y=Y_test, metrics=["accuracy", "f1", "coverage"])

label_model = LabelModel(cardinality=2, verbose=False)
label_model.fit(L_train=L_train, n_epochs=500, log_freq=100, seed=123, progress_bar=False)
label_model_acc = label_model.score(L=L_test, Y=Y_test, tie_break_policy="random")["accuracy"]
probs_train = label_model.predict_proba(L=L_train)
preds_lm, probs_lm = label_model.predict(L=L_test, return_probs=True, tie_break_policy="abstain")
weights = label_model.get_weights()
conditional = label_model.get_conditional_probs()

df_filtered, probs_filtered = filter_unlabeled_dataframe(X=df_train, y=probs_train, L=L_train)
preds_filtered = probs_to_preds(probs=probs_filtered)
one_hot = preds_to_probs(preds_filtered, 2)


@slicing_function()
def short_link(x):
    return "http" in x.text and len(x.text) < 40


@slicing_function(name="long")
def long_comment(x):
    return len(x.text.split()) > 5


in_slice = slice_dataframe(df_test, long_comment)
S = PandasSFApplier([short_link, long_comment]).apply(df_test, progress_bar=False)
preds_test, probs_test = majority_model.predict(L_test, return_probs=True, tie_break_policy="random")
by_slice = Scorer(metrics=["accuracy", "f1"]).score_slices(
    S=S, golds=Y_test, preds=preds_test, probs=probs_test, as_dataframe=True
)
by_slice_plain = Scorer(metrics=["accuracy"]).score_slices(S, Y_test, preds_test, probs_test)
auc = metric_score(golds=Y_test, probs=probs_test, metric="roc_auc")
matthews = metric_score(Y_test, preds_test, metric="matthews_corrcoef")
"""


def comments(n: int, seed: int) -> pd.DataFrame:
    """Comments below a video, spam or not."""
    rng = np.random.default_rng(seed)
    spam = ["check out my channel", "see http://a.b now", "subscribe to my page http://x.y please", "hello all of you"]
    ham = ["i love this song", "great song", "i hate this song so much today", "who listens to it in 2026 with me"]
    label = rng.integers(0, 2, n)
    text = [str(rng.choice((ham, spam)[k])) + " " + str(rng.choice(["", "my love", "song", "wow"])) for k in label]
    return pd.DataFrame({"text": text, "label": label}, index=rng.integers(0, 50, n))  # indices repeat, as there


def run(imports: str) -> dict[str, Any]:
    names: dict[str, Any] = {"np": np, "df_train": comments(300, 1), "df_test": comments(200, 2)}
    exec(compile(textwrap.dedent(imports + SCRIPT), "script", "exec"), names)  # our own script
    return names


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    with pytest.warns(AdapterWarning, match="n_epochs, log_freq have no meaning here"):
        return run(OURS)


@pytest.fixture(scope="module")
def there() -> dict[str, Any]:
    pytest.importorskip("snorkel", reason="snorkel is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(THEIRS, {})  # what it imports itself may not fit together
        except Exception as error:
            pytest.skip(f"snorkel cannot be imported: {error}")
        return run(THEIRS)


EQUAL = [
    *("L_train", "L_test", "coverage", "summary", "judged", "spam_by_keyword", "preds_train", "majority_acc"),
    *("majority_many", "in_slice", "S", "by_slice", "by_slice_plain", "auc", "matthews", "preds_test", "probs_test"),
]
"""What the label model has no part in."""


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_a_script_says_what_it_says_with_snorkel(here: dict[str, Any], there: dict[str, Any]) -> None:
    for name in EQUAL:
        mine, other = here[name], there[name]
        if isinstance(other, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, other, check_dtype=False, obj=name)
        elif isinstance(other, dict):
            assert mine.keys() == other.keys(), name
            assert all(mine[key] == pytest.approx(value) for key, value in other.items()), name
        else:
            assert np.asarray(mine).dtype == np.asarray(other).dtype, name
            if np.asarray(other).dtype.names:
                assert np.asarray(mine).tolist() == np.asarray(other).tolist(), name
            else:
                np.testing.assert_allclose(mine, other, atol=1e-12, err_msg=name)
    assert {key: value.tolist() for key, value in here["buckets"].items()} == {
        tuple(map(int, key)): value.tolist() for key, value in there["buckets"].items()
    }


def test_shapes_of_the_label_model_are_those_of_snorkel(here: dict[str, Any], there: dict[str, Any]) -> None:
    names = ["probs_train", "preds_lm", "probs_lm", "weights", "conditional", "probs_filtered", "preds_filtered"]
    for name in [*names, "one_hot", "df_filtered"]:
        assert here[name].shape == there[name].shape, name
        if name not in ("df_filtered", "weights", "conditional"):
            assert here[name].dtype == there[name].dtype, name


def test_the_script_runs_without_snorkel(here: dict[str, Any]) -> None:
    assert here["L_train"].shape == (300, 6)
    assert here["label_model_acc"] > 0.8
    assert np.allclose(here["conditional"].sum(1), 1)
    assert len(here["df_filtered"]) == len(here["probs_filtered"]) < 300
    assert here["meta"].faults == {}


# Of the docstrings of snorkel 0.10.0.
L = np.array([[-1, 0, 0], [-1, -1, -1], [1, 0, -1], [-1, 0, -1], [0, 0, 0]])


def test_analysis_is_that_of_the_examples_of_snorkel() -> None:
    analysis = LFAnalysis(L)
    assert (analysis.label_coverage(), analysis.label_overlap(), analysis.label_conflict()) == (0.8, 0.6, 0.2)
    assert analysis.lf_polarities() == [[0, 1], [0], [0]]
    np.testing.assert_allclose(analysis.lf_coverages(), [0.4, 0.8, 0.4])
    np.testing.assert_allclose(analysis.lf_overlaps(), [0.4, 0.6, 0.4])
    np.testing.assert_allclose(analysis.lf_overlaps(normalize_by_coverage=True), [1.0, 0.75, 1.0])
    np.testing.assert_allclose(analysis.lf_conflicts(), [0.2, 0.2, 0.0])
    np.testing.assert_allclose(analysis.lf_conflicts(normalize_by_overlaps=True), [0.5, 1 / 3, 0.0])
    assert analysis.lf_summary().index.tolist() == [0, 1, 2]
    by_hand: Any = analysis.lf_empirical_probs(np.array([0, 0, 1, 0, 0]), 2)
    assert by_hand.shape == (3, 3, 2)
    assert by_hand[0].tolist() == [[0.75, 0], [0.25, 0], [0, 1]]
    np.testing.assert_allclose(analysis.lf_empirical_accuracies(np.array([0, 0, 1, -1, 0])), [1, 2 / 3, 1])
    with pytest.raises(InvalidArgumentError, match="2 functions are given for 3 columns"):
        LFAnalysis(L, [SimpleNamespace(name="a"), SimpleNamespace(name="b")])


def test_conversions_are_those_of_the_examples_of_snorkel() -> None:
    assert probs_to_preds(np.array([[0.5, 0.5, 0.5]]), tie_break_policy="abstain").tolist() == [-1]
    assert probs_to_preds(np.array([[0.8, 0.1, 0.1]])).tolist() == [0]
    assert probs_to_preds(np.full((50, 2), 0.5), "true-random").min() >= 0
    majority = MajorityLabelVoter().predict_proba(np.array([[0, 0, -1], [-1, 0, 1], [1, -1, 0]]))
    assert majority.tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5]]
    assert preds_to_probs([1, 0], 2).tolist() == [[0, 1], [1, 0]]
    assert get_label_instances((1, 0), np.array(["a", "b"]), [1, 1], [0, 1]).tolist() == ["a"]
    assert get_label_instances((7, 7), np.array(["a", "b"]), [1, 1], [0, 1]).tolist() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: probs_to_preds([[0.5, 0.5]], "first"), "tie_break_policy must be"),
        (lambda: preds_to_probs([0, -1], 2), "item 1 abstains"),
        (lambda: get_label_buckets([1, 0], [1]), "same length"),
        (lambda: metric_score([1], [1], metric="auc"), "metric must be one of"),
        (lambda: metric_score([1], metric="f1"), "f1 needs preds"),
        (lambda: metric_score([1, 0], [1]), "lengths differ: golds 2, preds 1"),
        (lambda: metric_score([2], [1], metric="f1"), "f1 is of two classes"),
        (lambda: metric_score([0.5], [1]), "golds must be one whole number an item"),
        (lambda: Scorer(metrics=["auc"]), "metrics must be of"),
        (lambda: Scorer(metrics=["accuracy"]).score([]), "golds holds no label"),
        (lambda: LabelModel(n_classes=2), "it is cardinality="),
        (lambda: LabelModel(cardinality=1), "cardinality must be 2 or more"),
        (lambda: LabelModel(cardinalty=2), "no argument 'cardinalty'"),
        (lambda: LabelModel().fit(L, gold=[0] * 5), r"fit\(votes, gold=...\)"),
        (lambda: LabelModel().fit(L, n_epoch=5), "no argument 'n_epoch'"),
        (lambda: LabelModel().fit(L, class_balance=[0.7, 0.7]), "class balance .0.7, 0.7.: 2 shares"),
        (lambda: LabelModel().fit(L, Y_dev=[1, 1]), "Y_dev gives the class balance"),
        (lambda: LFApplier([]), "there are none"),
        (lambda: LFApplier([len]), "is not a labeling function of Snorkel"),
        (lambda: PandasLFApplier([vote]).apply([1]), "df must be a pandas DataFrame"),
        (lambda: LFApplier([vote, vote]), "2 functions are called 'vote'"),
    ],
)
def test_what_is_wrong_is_said(call: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        call()


@labeling_function
def vote(x: Any) -> int:
    return int(x.a > 1)


@preprocessor
def doubled(x: Any) -> Any:
    x.a = x.a * 2
    return x


@slicing_function()  # type: ignore[untyped-decorator]
def large(x: Any) -> bool:
    return bool(x.a > 1)


def test_names_that_are_not_here_say_what_is() -> None:
    with pytest.raises(ImportError, match=r"no DaskLFApplier: weaklabel.apply\(functions, data, n_jobs=...\)"):
        from weaklabel.adapters.snorkel import DaskLFApplier  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ours.nonsense  # noqa: B018  # looked up for its error


def test_functions_are_those_of_weaklabel() -> None:
    data = pd.DataFrame({"a": [1, 2]})
    made = LabelingFunction("made", lambda x, limit: int(x.a > limit), {"limit": 3}, [doubled])
    assert weaklabel.apply([vote, made], data, progress=False).to_dense().tolist() == [[0, 0], [1, 1]]
    assert pickle.loads(pickle.dumps(vote)) is vote
    copied = pickle.loads(pickle.dumps(LabelingFunction("again", min, None, [doubled])))
    assert (copied.name, copied.pre) == ("again", (doubled,))
    assert ours.SFApplier([large]).apply([SimpleNamespace(a=1), SimpleNamespace(a=2)], progress_bar=False).tolist() == [
        (0,),
        (1,),
    ]


def test_a_fault_stops_the_run_unless_it_is_tolerated() -> None:
    @labeling_function()  # type: ignore[untyped-decorator]
    def broken(x: Any) -> int:
        return int(1 // x.a)

    applier = PandasLFApplier([broken])
    data = pd.DataFrame({"a": [1, 0]})
    with pytest.raises(LabelingFunctionError, match="broken") as caught:
        applier.apply(data, progress_bar=False)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.warns(match="failed on 1 of 2 items"):
        votes, meta = applier.apply(data, progress_bar=False, fault_tolerant=True, return_meta=True)
    assert votes.tolist() == [[1], [-1]]
    assert meta.faults == {"broken": 1}


def test_a_class_balance_is_kept_and_not_estimated() -> None:
    """Votes that say nothing: what is left is the balance, as of Bayes' rule."""
    votes = np.array([[0, 1]] * 40 + [[1, 0]] * 40 + [[-1, -1]] * 20)
    probs = LabelModel(cardinality=2).fit(votes, class_balance=[0.8, 0.2]).predict_proba(votes)
    np.testing.assert_allclose(probs[-1], [0.8, 0.2], atol=1e-6)
    by_labels = LabelModel(cardinality=2).fit(votes, Y_dev=[0, 0, 0, 0, 1]).predict_proba(votes)
    np.testing.assert_allclose(by_labels, probs, atol=1e-6)
    even = LabelModel(cardinality=2).fit(votes).predict_proba(votes)
    np.testing.assert_allclose(even[-1], [0.5, 0.5])


def test_a_model_is_kept_in_a_file(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    votes = np.where(rng.random((200, 4)) < 0.8, truth[:, None], 1 - truth[:, None])
    fitted = LabelModel().fit(votes)
    fitted.save(tmp_path / "model.npz")
    loaded = LabelModel()
    with pytest.raises(NotFittedError, match=r"fit\(L_train\) first"):
        loaded.predict(votes)
    loaded.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict_proba(votes), fitted.predict_proba(votes))
    with pytest.raises(NotFittedError, match="votes of the fit"):
        loaded.get_conditional_probs()
    with pytest.raises(InvalidArgumentError, match="model of 2 classes"):
        LabelModel(cardinality=3).load(tmp_path / "model.npz")
    with pytest.raises(InvalidArgumentError, match="class balance"):
        LabelModel().fit(votes, class_balance=[0.5, 0.5]).save(tmp_path / "other.npz")
    (tmp_path / "pickled.pkl").write_bytes(pickle.dumps({"mu": 1}))
    with pytest.raises(ModelFileError):
        loaded.load(tmp_path / "pickled.pkl")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_functions_of_snorkel_itself_are_taken_over() -> None:
    theirs = pytest.importorskip("snorkel.labeling", reason="snorkel is not installed")
    preprocess = pytest.importorskip("snorkel.preprocess", reason="snorkel is not installed")

    @preprocess.preprocessor(memoize=True)  # type: ignore[untyped-decorator]
    def lower(x: Any) -> Any:
        x.low = x.text.lower()
        return x

    @theirs.labeling_function(pre=[lower])  # type: ignore[untyped-decorator]
    def link(x: Any) -> int:
        return 1 if "http" in x.low else -1

    def word(x: Any, words: list[str]) -> int:
        return 0 if any(one in x["text"] for one in words) else -1

    functions = [link, theirs.LabelingFunction("word", word, {"words": ["song", "love"]})]
    data = comments(60, 3)
    expected = theirs.PandasLFApplier(functions).apply(data, progress_bar=False)
    votes = weaklabel.apply(from_snorkel(functions), data.reset_index(drop=True), n_classes=2, progress=False)
    assert votes.source_names == ("link", "word")
    np.testing.assert_array_equal(votes.to_dense(), expected)
    np.testing.assert_array_equal(PandasLFApplier(functions).apply(data, progress_bar=False), expected)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_functions_over_documents_share_one() -> None:
    pytest.importorskip("spacy", reason="spacy is not installed")

    @nlp_labeling_function(language="en")
    def long(x: Any) -> int:
        return 1 if len(x.doc) > 2 else -1

    @nlp_labeling_function(language="en")
    def asks(x: Any) -> int:
        return 0 if x.doc[-1].text == "?" else -1

    assert long.pre[0] is asks.pre[0]
    data = pd.DataFrame({"text": ["who?", "one two three"]})
    assert PandasLFApplier([long, asks]).apply(data, progress_bar=False).tolist() == [[-1, 0], [1, -1]]

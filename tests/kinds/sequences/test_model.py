"""The estimator: simulated truths, what must not change labels, schemes, silence, gold, files, bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import weaklabel
from weaklabel import SequenceModel, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.kinds.sequences import Span, fitting, prediction
from weaklabel.kinds.sequences.schemes import read_scheme
from weaklabel.kinds.sequences.spans import tags_to_spans

TYPES = ["PER", "LOC"]


def simulated(n_documents: int = 200, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """True BIO tags and lengths: spans of one to three tokens."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 15, n_documents)
    tags = []
    for length in lengths.tolist():
        document: list[int] = []
        while len(document) < length:
            kind = int(rng.integers(0, 2))
            span = [1 + 2 * kind] + [2 + 2 * kind] * int(rng.integers(0, 3))
            document += span if rng.random() < 0.25 else [0]
        tags += document[:length]
    return np.array(tags), lengths


def annotated(truth: NDArray[np.int64], accuracy: list[float], stay: float, seed: int = 1) -> NDArray[np.int64]:
    """Votes of annotators that err in runs: after an error, the next vote is wrong with probability `stay`."""
    rng = np.random.default_rng(seed)
    votes = np.tile(truth[:, None], len(accuracy))
    for source, right in enumerate(accuracy):
        wrong = False
        for at in range(len(truth)):
            wrong = bool(rng.random() < (stay if wrong else 1 - right))
            if wrong:
                votes[at, source] = rng.choice(np.delete(np.arange(5), truth[at]))
    return votes


def marked(truth: NDArray[np.int64], finds: list[float], seed: int = 1) -> NDArray[np.int64]:
    """Votes of functions that mark a share of the spans, of one type each, and -1 elsewhere."""
    rng = np.random.default_rng(seed)
    votes = np.full((len(truth), len(finds)), -1)
    span = np.cumsum(np.isin(truth, (1, 3)))
    for source, share in enumerate(finds):
        found = rng.random(span.max() + 1) < share
        here = (truth > 0) & found[span] & ((truth + 1) // 2 == 1 + source % 2)
        votes[here, source] = truth[here]
    return votes


def test_annotators_who_mark_much_by_mistake_are_annotators() -> None:
    """Chance brings two of six marks together as often as a span does."""
    truth, lengths = simulated(1000)
    rng = np.random.default_rng(1)
    truth = np.where(np.repeat(rng.random(1000) < 0.8, lengths), 0, truth)  # spans in few documents
    wrong = rng.random((len(truth), 6)) < np.linspace(0.2, 0.05, 6)
    votes = np.where(wrong, rng.integers(0, 5, wrong.shape), truth[:, None])
    shares = np.stack([(votes == tag).sum(1) for tag in range(5)], 1)
    by_majority = (shares.argmax(1) == truth).mean()
    assert (
        SequenceModel(TYPES).fit(votes, lengths=lengths).predict(votes, lengths=lengths) == truth
    ).mean() > by_majority - 0.01


def test_annotators_are_recovered_and_beat_majority_vote() -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.95, 0.8, 0.75, 0.7, 0.7], 0.4)
    model = SequenceModel(TYPES).fit(votes, lengths=lengths)
    counts = np.stack([(votes == tag).sum(1) for tag in range(5)], 1)
    errors = (counts.argmax(1) != truth).mean()  # of majority vote
    assert (model.predict(votes, lengths=lengths) != truth).mean() < 0.7 * errors
    assert [row.kind for row in model.summary] == ["annotator"] * 5
    seen = np.array([(votes[votes[:, s] > 0, s] == truth[votes[:, s] > 0]).mean() for s in range(5)])
    np.testing.assert_allclose([row.precision for row in model.summary], seen, atol=0.05)
    steps = np.zeros((5, 5))
    inner = np.ones(len(truth), bool)
    inner[np.cumsum(lengths) - lengths] = False
    np.add.at(steps, (truth[:-1][inner[1:]], truth[1:][inner[1:]]), 1)
    np.testing.assert_allclose(model.transitions, steps / steps.sum(1, keepdims=True), atol=0.06)
    p = model.predict_proba(votes, lengths=lengths)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert model.converged
    assert model.score(votes, truth, lengths=lengths) > 0.85
    assert model.score(votes, truth, "nll", lengths=lengths) < 0.25


def test_silent_functions_do_not_vote_for_outside() -> None:
    truth, lengths = simulated()
    votes = marked(truth, [0.5, 0.5, 0.4, 0.4, 0.1, 0.1])
    rng = np.random.default_rng(5)
    noise = rng.random(len(truth)) < 0.01
    votes[noise & (truth == 0), 0] = 1
    for given in (votes, np.where(votes < 0, 0, votes)):  # silence as -1, and as "O"
        model = SequenceModel(TYPES).fit(given, lengths=lengths)
        assert [row.kind for row in model.summary] == ["function"] * 6
        labels = model.predict(given, lengths=lengths)
        covered = (votes > 0).any(1)
        assert (labels[covered] == truth[covered]).mean() > 0.95
        assert (labels[~covered] == 0).all()
    p = model.predict_proba(given, lengths=lengths)
    missed = (truth[~covered] > 0).mean()
    assert p[~covered, 1:].sum(1).mean() == pytest.approx(missed, abs=0.07)  # what no function marks may be in a span
    asked = SequenceModel(TYPES, silence="O").fit(given, lengths=lengths)
    assert asked.summary[0].kind == "annotator"
    one = SequenceModel(TYPES, silence={"source_0": "O"}).fit(given, lengths=lengths)
    assert [row.kind for row in one.summary] == ["annotator"] + ["function"] * 5


def test_em_that_drifts_falls_back_to_vote_shares_and_says_so() -> None:
    truth, lengths = simulated()
    votes = marked(truth, [0.04, 0.03, 0.02, 0.02, 0.02, 0.02])
    rough = SequenceModel(TYPES, silence="O", max_iter=400).fit(np.maximum(votes, 0), lengths=lengths)
    assert rough.diagnostics.fallback
    assert rough.diagnostics.invented > 0.5  # of what EM took for spans
    assert "Labels are vote shares instead" in str(rough.diagnostics)
    labels = rough.predict(np.maximum(votes, 0), lengths=lengths)
    assert (labels == 0).mean() > 0.9  # nearly all votes are "O"
    precise = SequenceModel(TYPES).fit(votes, lengths=lengths)
    assert not precise.diagnostics.fallback
    assert precise.score(votes, truth, "precision", lengths=lengths) > 0.9


def test_copies_count_once() -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.9, 0.9, 0.85, 0.85, 0.6], 0.2)
    copied = np.column_stack([votes, votes[:, 4], votes[:, 4], votes[:, 4], votes[:, 4]])
    alone = SequenceModel(TYPES).fit(votes, lengths=lengths)
    assert alone.diagnostics.copies == ()
    model = SequenceModel(TYPES).fit(copied, lengths=lengths)
    assert {frozenset(pair) for pair in model.diagnostics.copies} >= {frozenset(("source_4", "source_8"))}
    before = (alone.predict(votes, lengths=lengths) == truth).mean()
    assert (model.predict(copied, lengths=lengths) == truth).mean() > before - 0.02


def test_order_of_documents_and_sources_and_duplication_change_nothing() -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.9, 0.8, 0.7, 0.7, 0.6], 0.4)
    p = SequenceModel(TYPES).fit(votes, lengths=lengths).predict_proba(votes, lengths=lengths)
    turned = SequenceModel(TYPES).fit(votes[:, ::-1], lengths=lengths).predict_proba(votes[:, ::-1], lengths=lengths)
    np.testing.assert_allclose(turned, p, atol=1e-4)
    parts = np.split(np.arange(len(truth)), np.cumsum(lengths)[:-1])
    order = np.random.default_rng(0).permutation(len(lengths))
    moved = np.concatenate([parts[at] for at in order])
    model = SequenceModel(TYPES).fit(votes[moved], lengths=lengths[order])
    np.testing.assert_allclose(model.predict_proba(votes[moved], lengths=lengths[order]), p[moved], atol=1e-4)
    twice = SequenceModel(TYPES).fit(np.tile(votes, (2, 1)), lengths=np.tile(lengths, 2))
    q = twice.predict_proba(votes, lengths=lengths)
    assert np.abs(q - p).sum(1).mean() < 0.02  # pseudo-counts weigh less
    renamed = SequenceModel(TYPES[::-1])
    other = np.array([0, 3, 4, 1, 2])
    swapped = renamed.fit(other[votes], lengths=lengths).predict_proba(other[votes], lengths=lengths)
    np.testing.assert_allclose(swapped[:, other], p, atol=1e-4)


@pytest.mark.parametrize("scheme", ["BIO", "IO", "BIOES"])
def test_labels_are_legal_in_every_scheme(scheme: Any) -> None:
    tags, rng = read_scheme(TYPES, scheme), np.random.default_rng(4)
    votes, lengths = rng.integers(-1, len(tags.tags), (120, 3)), np.full(12, 10)
    model = SequenceModel(TYPES, scheme=scheme, tol=1.0).fit(votes, lengths=lengths)
    for decoding in ("viterbi", "marginal"):
        model.decoding = decoding
        labels = model.predict(votes, lengths=lengths).reshape(12, 10)
        assert tags.first[labels[:, 0]].all()
        assert tags.last[labels[:, -1]].all()
        assert tags.legal[labels[:, :-1], labels[:, 1:]].all()
        spans = model.predict_spans(votes, lengths=lengths)
        assert sum(one.end - one.start for some in spans for one in some) == (labels > 0).sum()


def test_gold_is_kept_and_teaches() -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.9, 0.85, 0.85, 0.85, 0.85], 0.3)
    votes[:, 2:] = np.array([0, 3, 4, 1, 2])[votes[:, 2:]]  # most take one type for the other
    known = np.repeat(np.arange(len(lengths)) % 4 == 0, lengths)
    gold, apart = np.where(known, truth, -1), np.where(known, -1, truth)
    model = SequenceModel(TYPES).fit(votes, lengths=lengths)
    assert model.score(votes, apart, lengths=lengths) < 0.3
    model.fit(votes, lengths=lengths, gold=gold)
    assert model.score(votes, apart, lengths=lengths) > 0.8
    by_spans = list(tags_to_spans(truth, lengths, read_scheme(TYPES, "BIO")))
    some: list[Any] = [one if at % 4 == 0 else None for at, one in enumerate(by_spans)]
    again = SequenceModel(TYPES).fit(votes, lengths=lengths, gold=some)
    np.testing.assert_array_equal(
        again.predict_proba(votes, lengths=lengths), model.predict_proba(votes, lengths=lengths)
    )


def test_every_form_of_votes_is_the_same() -> None:
    truth, lengths = simulated(30)
    codes = annotated(truth, [0.9, 0.8, 0.7], 0.3)
    model = SequenceModel(TYPES)
    names = np.array(model.tags, object)[codes]
    p = model.fit(codes, lengths=lengths).predict_proba(codes, lengths=lengths)
    for form in (names, names.tolist(), Votes.from_dense(codes, 5), {f"source_{s}": names[:, s] for s in range(3)}):
        np.testing.assert_array_equal(
            SequenceModel(TYPES).fit(form, lengths=lengths).predict_proba(form, lengths=lengths), p
        )
    spans = {"a": [[(0, 2, "PER")], []], "b": [[(0, 2, "PER")], None], "c": [[(0, 1, "LOC")], [(1, 2, "LOC")]]}
    fitted = SequenceModel(TYPES, silence="O").fit(spans, lengths=[3, 2])
    assert fitted.predict_spans(spans, lengths=[3, 2])[0] == [Span(0, 2, "PER")]
    part = {"c": spans["c"], "a": spans["a"]}  # matched by name; "b" abstains
    assert fitted.predict_proba(part, lengths=[3, 2]).shape == (5, 5)


def test_files_and_parameters(tmp_path: Path) -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.9, 0.8, 0.7, 0.7, 0.6], 0.4)
    model = SequenceModel(TYPES, silence={"source_1": "O"}).fit(votes, lengths=lengths)
    model.save(tmp_path / "model")
    again = SequenceModel.load(tmp_path / "model")
    np.testing.assert_array_equal(
        again.predict_proba(votes, lengths=lengths), model.predict_proba(votes, lengths=lengths)
    )
    assert again.get_params() == model.get_params()
    assert again.summary == model.summary
    assert str(again.diagnostics) == str(model.diagnostics)
    with pytest.raises(ModelFileError, match="this is not a sequence model"):
        SequenceModel.from_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="this is not a sequence model but a label model"):
        SequenceModel.from_bytes(weaklabel.LabelModel(5).fit(votes).to_bytes())
    with pytest.raises(NotFittedError):
        model.set_params(scheme="IO").predict(votes)


def test_a_subsample_and_a_long_document_give_about_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, lengths = simulated()
    votes = annotated(truth, [0.95, 0.8, 0.75, 0.7, 0.7], 0.4)
    p = SequenceModel(TYPES).fit(votes, lengths=lengths).predict_proba(votes, lengths=lengths)
    some = SequenceModel(TYPES, sample_tokens=1000).fit(votes, lengths=lengths)
    assert 1000 <= some.diagnostics.tokens < 1020
    assert np.abs(some.predict_proba(votes, lengths=lengths) - p).sum(1).mean() < 0.1
    monkeypatch.setattr(fitting, "LONGEST_FITTED", 64)
    whole = SequenceModel(TYPES).fit(votes)
    assert (whole.predict(votes) == truth).mean() > (p.argmax(1) == truth).mean() - 0.02
    monkeypatch.setattr(prediction, "BLOCK_TOKENS", 500)  # labels do not depend on the blocks
    np.testing.assert_allclose(
        SequenceModel(TYPES).fit(votes, lengths=lengths).predict_proba(votes, lengths=lengths), p, atol=1e-5
    )


@pytest.mark.parametrize(
    ("votes", "lengths", "error", "words"),
    [
        ([["O", "B-PER"], ["B-ORG", "O"]], None, InvalidVotesError, "token 1, source 'source_0': 'B-ORG' is none of"),
        ([[0, 1], [0, 5]], None, InvalidVotesError, "token 1, source 'source_1': 5 is none of the tags"),
        ([[0.5, 1.0]], None, InvalidVotesError, "tags or whole numbers"),
        ([0, 1], None, InvalidVotesError, "tokens x sources"),
        (np.zeros((0, 2), int), [], InvalidVotesError, "no tokens"),
        ([[0, 1]], [2], InvalidArgumentError, "lengths sum to 2, but there are 1 tokens"),
        ([[0, 1]], [1, 0], InvalidArgumentError, "document 1 has 0"),
        ([[0, 1]], [1.0], InvalidArgumentError, "whole numbers"),
        ({"a": [[]]}, None, InvalidArgumentError, "lengths must be whole numbers"),
        ({}, [1], InvalidVotesError, "no sources"),
    ],
)
def test_bad_input_is_named(votes: Any, lengths: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SequenceModel(TYPES).fit(votes, lengths=lengths)


def test_bad_arguments_are_named() -> None:
    for wrong in ({"silence": "never"}, {"decoding": "beam"}, {"tol": 0}, {"max_iter": 0}, {"seed": -1}):
        with pytest.raises(InvalidArgumentError):
            SequenceModel(TYPES, **wrong)
    with pytest.raises(InvalidArgumentError, match="silence must be"):
        SequenceModel(TYPES, silence={"nobody": "O"}).fit([[0, 1]])
    model = SequenceModel(TYPES).fit([[0, 1], [1, 1]])
    with pytest.raises(InvalidArgumentError, match="gold must be"):
        model.fit([[0, 1], [1, 1]], gold=[0, 1, 2])
    with pytest.raises(InvalidArgumentError, match="metric must be one of"):
        model.score([[0, 1], [1, 1]], [0, 1], "f2")
    with pytest.raises(InvalidVotesError, match="'x' is not known to the model"):
        model.predict({"x": [[]]}, lengths=[2])
    with pytest.raises(InvalidVotesError, match="votes have 1 sources, the model 2"):
        model.predict([[0], [1]])

"""Schemes and spans by hand."""

import numpy as np
import pytest

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.sequences import Span, token_spans
from weaklabel.kinds.sequences.schemes import read_scheme
from weaklabel.kinds.sequences.spans import spans_to_tags, tags_to_spans


def numbered(text: str, scheme: str) -> tuple[np.ndarray, object]:
    tags = read_scheme(["PER", "LOC"], scheme)
    return np.array([tags.tags.index(one) for one in text.split()]), tags


@pytest.mark.parametrize(
    ("scheme", "tags", "spans"),
    [
        ("BIO", "B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("BIO", "O I-PER I-PER O", [(1, 3, "PER")]),  # an illegal I- opens a span
        ("BIO", "B-PER I-LOC I-LOC B-LOC", [(0, 1, "PER"), (1, 3, "LOC"), (3, 4, "LOC")]),
        ("BIO", "B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("IO", "I-PER I-PER I-LOC O I-LOC", [(0, 2, "PER"), (2, 3, "LOC"), (4, 5, "LOC")]),
        ("BIOES", "B-PER I-PER E-PER S-LOC S-LOC", [(0, 3, "PER"), (3, 4, "LOC"), (4, 5, "LOC")]),
        ("BIOES", "E-PER I-PER O B-LOC S-LOC", [(0, 1, "PER"), (1, 2, "PER"), (3, 4, "LOC"), (4, 5, "LOC")]),
    ],
)
def test_spans_of_tags_as_in_seqeval(scheme: str, tags: str, spans: list[tuple[int, int, str]]) -> None:
    codes, known = numbered(tags, scheme)
    assert tags_to_spans(codes, [len(codes)], known) == [[Span(*one) for one in spans]]  # type: ignore[arg-type]


def test_a_span_ends_with_its_document() -> None:
    codes, known = numbered("B-PER I-PER I-PER O", "BIO")
    found = tags_to_spans(codes, [2, 2], known)  # type: ignore[arg-type]
    assert found == [[Span(0, 2, "PER")], [Span(0, 1, "PER")]]


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_tags_of_spans_are_legal_and_lead_back(scheme: str) -> None:
    tags, rng = read_scheme(["PER", "LOC"], scheme), np.random.default_rng(1)
    documents, lengths = [], []
    for _ in range(50):
        at, some = 0, []
        while at < 12:
            end = int(at + rng.integers(1, 4))
            if rng.random() < 0.6:
                some.append(Span(at, end, "PER" if rng.random() < 0.5 else "LOC"))
            at = end
        documents.append(some)
        lengths.append(at)
    codes = spans_to_tags(documents, lengths, tags)
    assert tags_to_spans(codes, lengths, tags) == documents
    begins = np.cumsum(lengths) - lengths
    inner = np.ones(len(codes), bool)
    inner[begins] = False
    assert tags.first[codes[begins]].all()
    assert tags.last[codes[np.cumsum(lengths) - 1]].all()
    assert tags.legal[codes[:-1], codes[1:]][inner[1:]].all()


def test_legal_transitions_by_hand() -> None:
    bio, bioes, io = (read_scheme(["A", "B"], name) for name in ("BIO", "BIOES", "IO"))
    assert bio.tags == ("O", "B-A", "I-A", "B-B", "I-B")
    forbidden = [(a, b) for a, b in np.argwhere(~bio.legal).tolist()]
    assert forbidden == [(0, 2), (0, 4), (1, 4), (2, 4), (3, 2), (4, 2)]
    assert io.legal.all()
    assert io.first.all()
    follows = {a: [bioes.tags[b] for b in np.flatnonzero(bioes.legal[at])] for at, a in enumerate(bioes.tags)}
    assert follows["B-A"] == follows["I-A"] == ["I-A", "E-A"]
    assert follows["E-A"] == follows["S-B"] == follows["O"] == ["O", "B-A", "S-A", "B-B", "S-B"]
    assert [bioes.tags[at] for at in np.flatnonzero(bioes.last)] == ["O", "E-A", "S-A", "E-B", "S-B"]


def test_characters_to_tokens() -> None:
    text, offsets = "New York is big", [(0, 3), (4, 8), (9, 11), (12, 15)]
    assert token_spans([(0, 8, "LOC"), (13, 15, "X")], offsets, text=text) == [Span(0, 2, "LOC"), Span(3, 4, "X")]
    for wrong, words in [((3, 4, "LOC"), "touches no token"), ((2, 99, "LOC"), "not within the text")]:
        with pytest.raises(InvalidArgumentError, match=words):
            token_spans([wrong], offsets, text=text)


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ([[(0, 1, "PER")], [(1, 4, "PER")]], r"'f', document 1: span \(1, 4, 'PER'\) is not within its 3 tokens"),
        ([[(0, 1, "ORG")], []], r"'f', document 0: type 'ORG' is not one of PER, LOC"),
        ([[(0, 2, "PER"), (1, 2, "LOC")], []], r"'f', document 0: span \(1, 2, 'LOC'\) overlaps another"),
        ([[(0.5, 2, "PER")], []], "whole numbers"),
        ([[]], "spans for 1 documents"),
    ],
)
def test_bad_spans_are_named(spans: list[list[tuple[int, int, str]]], words: str) -> None:
    with pytest.raises(InvalidVotesError, match=words):
        spans_to_tags(spans, [2, 3], read_scheme(["PER", "LOC"], "BIO"), "f")


@pytest.mark.parametrize(("types", "scheme"), [([], "BIO"), ("PER", "BIO"), (["A", "A"], "BIO"), (["A"], "BILOU")])
def test_schemes_that_are_none(types: list[str], scheme: str) -> None:
    with pytest.raises(InvalidArgumentError):
        read_scheme(types, scheme)

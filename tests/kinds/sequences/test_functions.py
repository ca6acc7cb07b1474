"""Functions over documents that return spans."""

import pickle
import re

import pytest

from weaklabel import SequenceModel
from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.kinds.sequences import Document, Span, SpanFunction, apply_spans, span_function, token_votes


def test_functions_become_votes() -> None:
    @span_function
    def after_title(document: list[str]) -> list[tuple[int, int, str]]:
        return [(at + 1, at + 2, "PER") for at, word in enumerate(document[:-1]) if word in ("Mr", "Mrs")]

    @span_function
    def surname(document: list[str]) -> list[tuple[int, int, str]] | None:
        return None if len(document) < 2 else [(at, at + 1, "PER") for at, w in enumerate(document) if w == "Smith"]

    documents = [["Mr", "Smith", "left"], ["Smith"], ["Mrs", "Jones"]]
    votes = apply_spans([after_title, surname], documents)
    assert votes == {
        "after_title": [[(1, 2, "PER")], [], [(1, 2, "PER")]],
        "surname": [[(1, 2, "PER")], None, []],
    }
    model = SequenceModel(["PER"], silence="nothing").fit(votes, lengths=[3, 1, 2])
    assert model.predict_spans(votes, lengths=[3, 1, 2]) == [[Span(1, 2, "PER")], [], [Span(1, 2, "PER")]]


def test_failures_name_the_function_and_the_document() -> None:
    @span_function
    def broken(document: list[str]) -> list[tuple[int, int, str]]:
        return [(0, 1, document[1])]

    with pytest.raises(LabelingFunctionError, match="'broken' failed on document 1: list index"):
        apply_spans([broken], [["a", "b"], ["a"]])
    with pytest.raises(InvalidArgumentError, match="names of functions must differ"):
        apply_spans([broken, broken], [])
    with pytest.raises(InvalidArgumentError, match="list of span functions"):
        apply_spans([], [])


def test_spans_in_characters_become_tokens() -> None:
    @span_function(offsets="characters", resources={"pattern": r"Dr\. \w+"})
    def doctor(document: Document, pattern: str) -> list[tuple[int, int, str]] | None:
        found = [(*match.span(), "PER") for match in re.finditer(pattern, document.text)]
        return found if document.text else None

    @span_function(name="long", pre=[lambda document: document.tokens])
    def long_words(words: tuple[str, ...]) -> list[tuple[int, int, str]]:
        return [(at, at + 1, "PER") for at, word in enumerate(words) if len(word) > 4]

    texts = ["Ask Dr. Smith, or Dr. No.", "nobody", ""]
    documents = [Document.from_text(text) for text in texts]
    votes = apply_spans([doctor, long_words], documents)
    # tokens: Ask Dr . Smith , or Dr . No .
    assert votes == {
        "doctor": [[(1, 4, "PER"), (6, 9, "PER")], [], None],
        "long": [[(3, 4, "PER")], [(0, 1, "PER")], []],
    }
    assert apply_spans([pickle.loads(pickle.dumps(AT_TOP))], documents[:1]) == {"AT_TOP": [[(3, 4, "X")]]}
    with pytest.raises(InvalidArgumentError, match="'doctor' gives spans in characters, but document 1 is a list"):
        apply_spans([doctor], [documents[0], ["a"]])


def _fourth(document: Document) -> list[tuple[int, int, str]]:
    return [(*document.offsets[3], "X")]


AT_TOP = SpanFunction(_fourth, name="AT_TOP", offsets="characters")


def test_a_span_outside_of_the_text_names_function_and_document() -> None:
    @span_function(offsets="characters")
    def beyond(document: Document) -> list[tuple[int, int, str]]:
        return [(0, 5, "PER")]

    with pytest.raises(LabelingFunctionError, match=r"'beyond' failed on document 1: span \(0, 5, 'PER'\) is not with"):
        apply_spans([beyond], [Document.from_text("enough"), Document.from_text("four")])
    with pytest.raises(InvalidArgumentError, match="offsets must be"):
        span_function(offsets="bytes")(beyond.body)  # type: ignore[call-overload]


def test_votes_of_spans_in_characters_do_not_overlap() -> None:
    document = Document("New York, NY", ((0, 3), (4, 8), (10, 12)))
    spans = [(4, 8, "ORG"), (0, 8, "LOC"), (10, 12, "LOC"), (10, 11, "ORG"), (8, 9, "LOC")]
    # the longer one of two that share a token; of equal ones in tokens the first; the comma is no token
    assert token_votes([spans, None], [document, document]) == [[(0, 2, "LOC"), (2, 3, "LOC")], None]
    with pytest.raises(InvalidArgumentError, match="not within the text"):
        token_votes([[(0, 13, "LOC")]], [document])
    with pytest.raises(InvalidArgumentError, match="spans of 1 documents, but 2"):
        token_votes([[]], [document, document])


def test_documents_are_checked() -> None:
    assert Document.from_tokens(["a", "bc"], separator="").tokens == ("a", "bc")
    assert len(Document.from_text("It's 3.5 m")) == 7  # It ' s 3 . 5 m
    for offsets in ([(0, 0)], [(0, 5)], [(0, 2), (1, 3)], [(2, 3), (0, 1)]):
        with pytest.raises(InvalidArgumentError, match="token"):
            Document("abcd", tuple(offsets))

"""Functions over documents that return spans."""

import pytest

from weaklabel import SequenceModel
from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.kinds.sequences import Span, apply_spans, span_function


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

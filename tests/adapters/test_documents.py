"""spaCy documents as items, and skweak's span groups as votes: beside what skweak itself makes of them."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import weaklabel
from weaklabel import LabelModel, MajorityVote
from weaklabel.adapters.skweak import read_docs, write_docs
from weaklabel.adapters.spacy import SpacyPreprocessor, gold_from_cats, set_cats
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

spacy = pytest.importorskip("spacy", reason="spacy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def nlp() -> Any:
    return spacy.blank("en")


def test_documents_are_items_of_labeling_functions(nlp: Any) -> None:
    long = weaklabel.LabelingFunction(lambda doc: 1 if len(doc) > 2 else -1, name="long")
    votes = weaklabel.apply([long], nlp.pipe(["one two three", "one"]), n_classes=2, progress=False)
    assert votes.to_dense().tolist() == [[1], [-1]]

    step = SpacyPreprocessor("body", "parsed", "en")
    rows = weaklabel.LabelingFunction(lambda x: len(x.parsed) % 2, name="odd", pre=[step])
    data = pd.DataFrame({"body": ["one two three", "one two"]})
    assert weaklabel.apply([rows], data, progress=False).to_dense().tolist() == [[1], [0]]
    assert pickle.loads(pickle.dumps(step)).name == step.name
    with pytest.raises(InvalidArgumentError, match="python -m spacy download en_no_such"):
        SpacyPreprocessor(language="en_no_such")


def test_soft_labels_are_categories(nlp: Any) -> None:
    docs = [nlp("a"), nlp("b")]
    set_cats(docs, [[0.2, 0.8], [0.5, 0.5]], ["ham", "spam"])
    assert docs[0].cats == {"ham": 0.2, "spam": 0.8}
    assert gold_from_cats(docs, ["ham", "spam"]).tolist() == [1, -1]
    docs[1].cats = {"eggs": 1.0}
    with pytest.raises(InvalidArgumentError, match="document 1 has the category 'eggs': one of ham, spam"):
        gold_from_cats(docs, ["ham", "spam"])
    with pytest.raises(InvalidArgumentError, match=r"= \(2, 2\), got shape \(1, 2\)"):
        set_cats(docs, [[0.2, 0.8]], ["ham", "spam"])


TEXTS = ["Ann likes Rome", "Bob", "nobody here", "Rome and Ann", "see Bob in Rome"]


def annotated(nlp: Any) -> list[Any]:
    """Three sources by gazetteers that overlap and differ."""
    heuristics = pytest.importorskip("skweak.heuristics", reason="skweak is not installed")

    def finder(words: dict[str, str]) -> Any:
        return lambda doc: ((t.i, t.i + 1, words[t.text]) for t in doc if t.text in words)

    docs = [nlp(text) for text in TEXTS]
    for name, words in {
        "one": {"Ann": "PER", "Bob": "PER", "Rome": "LOC"},
        "two": {"Ann": "PER", "Rome": "PER"},
        "three": {"Rome": "LOC", "Bob": "LOC"},
    }.items():
        docs = list(heuristics.FunctionAnnotator(name, finder(words)).pipe(docs))
    return docs


def test_votes_on_spans_are_the_observations_of_skweak(nlp: Any) -> None:
    voting = pytest.importorskip("skweak.voting", reason="skweak is not installed")
    docs = annotated(nlp)
    read = read_docs(docs, ["PER", "LOC"])
    theirs = voting.MajorityVoter("majority", labels=["PER", "LOC"])
    observed = [theirs.get_observation_df(doc) for doc in docs]
    expected = np.concatenate(
        [frame.reindex(columns=read.votes.source_names, fill_value=-1) for frame in observed if len(frame)]
    )
    spans = [(at, *span) for at, frame in enumerate(observed) for span in frame.index]
    order = sorted(range(len(read.items)), key=lambda row: read.items[row])
    assert [tuple(read.items[row]) for row in order] == spans
    np.testing.assert_array_equal(read.votes.to_dense()[order], expected)

    write_docs(read, MajorityVote(classes=read.classes).predict_proba(read.votes), "weaklabel")
    for doc in map(theirs, docs):
        mine, other = doc.spans["weaklabel"], doc.spans["majority"]
        assert mine.attrs.keys() == other.attrs.keys()
        assert sorted((one.start, one.end, one.label_) for one in mine) == sorted(
            (one.start, one.end, one.label_) for one in other
        )
    assert read_docs(docs, ["PER", "LOC"]).votes.source_names == ("one", "two", "three")  # results are no sources


def test_tokens_and_what_is_outside(nlp: Any) -> None:
    docs = annotated(nlp)
    read = read_docs(docs, ["O", "PER", "LOC"], unit="token", outside="O")
    assert read.votes.shape == (sum(map(len, docs)), 3)
    assert read.votes.to_dense()[:3].tolist() == [[1, 1, 0], [0, 0, 0], [2, 1, 2]]  # Ann likes Rome
    assert read_docs(docs, ["PER", "LOC"], unit="token").votes.to_dense()[1].tolist() == [-1, -1, -1]
    soft = np.eye(3)[[1 if token.text in ("see", "Bob") else 0 for doc in docs for token in doc]]
    write_docs(read, soft, "found")
    assert [(span.text, span.label_) for span in docs[4].spans["found"]] == [("see Bob", "PER")]
    assert docs[4].spans["found"].attrs["probs"][(0, 1)] == {"O": 0.0, "PER": 1.0, "LOC": 0.0}


def test_whole_documents(nlp: Any) -> None:
    doclevel = pytest.importorskip("skweak.base", reason="skweak is not installed")

    class Mentions(doclevel.TextAnnotator):  # type: ignore[name-defined, misc]
        def __init__(self, name: str, word: str, label: str) -> None:
            super().__init__(name)
            self._word, self._label = word, label

        def get_label(self, doc: Any) -> str | None:
            return self._label if self._word in doc.text else None

    docs = [nlp(text) for text in TEXTS]
    for source in (Mentions("rome", "Rome", "travel"), Mentions("bob", "Bob", "people"), Mentions("ann", "Ann", "ENT")):
        docs = [source(doc) for doc in docs]
    groups = {"ENT": ["travel", "people"]}
    read = read_docs(docs, ["travel", "people", "rest"], unit="doc", underspecified=groups)
    assert read.votes.shape == (5, 3)
    assert read.votes.vote_at(0, "ann") == weaklabel.one_of(0, 1)
    assert read.votes.vote_at(2, "rome") == -1
    soft = LabelModel(classes=read.classes).fit(read.votes).predict_proba(read.votes)
    write_docs(read, soft, "topic", threshold=0.4)
    assert docs[1].spans["topic"][0].label_ == "people"


def test_bad_documents_are_refused_with_the_place(nlp: Any) -> None:
    Span = spacy.tokens.Span
    doc = nlp("one two three")
    doc.spans["a"] = [Span(doc, 0, 2, "x"), Span(doc, 1, 3, "y")]
    doc.spans["b"] = [Span(doc, 0, 2, "x"), Span(doc, 0, 2, "y")]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("document 1, source 'a': spans overlap at token 1", {"unit": "token"}),
        ("document 1, source 'a': a span of tokens 0 to 2 is not the whole", {"unit": "doc"}),
        ("document 1, source 'b': tokens 0 to 2 are 'x' and 'y'", {"sources": ["b"]}),
    ]
    for message, given in cases:
        with pytest.raises(InvalidVotesError, match=message):
            read_docs([nlp("a"), doc], ["x", "y"], **given)
    with pytest.raises(InvalidVotesError, match="source 'a': the label 'y' is no class; they are x, z"):
        read_docs([doc], ["x", "z"])
    with pytest.raises(InvalidVotesError, match="no span groups"):
        read_docs([nlp("a")], ["x", "z"])
    with pytest.raises(InvalidArgumentError, match="outside is a class"):
        read_docs([doc], ["x", "y"], outside="O")
    with pytest.raises(InvalidArgumentError, match="classes must be two"):
        read_docs([doc], ["x", "x"])
    read = read_docs([doc], ["x", "y"], sources=["a"])
    with pytest.raises(InvalidArgumentError, match="'a' is a source"):
        write_docs(read, [[1, 0], [0, 1]], "a")
    with pytest.raises(InvalidArgumentError, match=r"= \(2, 2\)"):
        write_docs(read, [[1, 0]], "c")

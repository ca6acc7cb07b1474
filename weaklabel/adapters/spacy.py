"""spaCy: documents as items of labeling functions, and soft labels as the categories of documents.

`weaklabel.apply` takes documents as they are, as in `apply([mentions_person], nlp.pipe(texts))`. Rows of a table get a
document by a preprocessor::

    @labeling_function(pre=[SpacyPreprocessor("text")])
    def mentions_person(x):
        return PERSON if any(ent.label_ == "PERSON" for ent in x.doc.ents) else ABSTAIN
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import Preprocessor
from weaklabel.votes import ABSTAIN

__all__ = ["SpacyPreprocessor", "gold_from_cats", "set_cats"]

DEFAULT_LANGUAGE = "en_core_web_sm"


class SpacyPreprocessor(Preprocessor):
    """Sets `x.doc` to the spaCy document of `x.text`, once an item.

    Args:
        text_field: attribute that holds the text.
        doc_field: attribute that gets the document.
        language: a pipeline that is installed, as "en_core_web_sm", its path, or a language, as "en", for its tokenizer
            alone.
        disable: components of the pipeline that are left out.
        pre: preprocessors that come before.
        memoize: nothing: a document is made once an item anyway.
        memoize_key: nothing, likewise.
        gpu: prefer a GPU.

    Raises:
        MissingExtraError: if spaCy is not installed.
        InvalidArgumentError: if the pipeline is not installed.
    """

    def __init__(
        self,
        text_field: str = "text",
        doc_field: str = "doc",
        language: str = DEFAULT_LANGUAGE,
        disable: Iterable[str] | None = None,
        pre: Iterable[Callable[[Any], Any]] | None = None,
        memoize: bool = False,  # noqa: ARG002
        memoize_key: Callable[[Any], Any] | None = None,  # noqa: ARG002
        gpu: bool = False,
    ) -> None:
        self._given = (text_field, doc_field, language, tuple(disable or ()), tuple(pre or ()), False, None, gpu)
        self._nlp = _pipeline(language, list(disable or ()), gpu)
        super().__init__(self._run, f"spacy_{doc_field}", None, pre or ())
        # What a bound method would bring along: this object stands for itself.
        self.__dict__.pop("__wrapped__", None)

    def _run(self, x: Any) -> Any:
        text_field, doc_field = self._given[:2]
        setattr(x, doc_field, self._nlp(getattr(x, text_field)))
        return x

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._given


def _pipeline(language: str, disable: list[str], gpu: bool) -> Any:
    spacy = require("spacy", extra="spacy", needed_for="spaCy documents")
    if gpu:
        spacy.prefer_gpu()
    try:
        if len(language) <= 3:
            return spacy.blank(language)
        return spacy.load(language, disable=disable)
    except (ImportError, OSError) as error:
        raise InvalidArgumentError(
            f"the spaCy pipeline {language!r} is not installed: python -m spacy download {language}, or a language "
            "such as 'en' for its tokenizer alone",
            field="language",
        ) from error


def set_cats(docs: Iterable[Any], soft_labels: ArrayLike, classes: Sequence[str]) -> list[Any]:
    """Soft labels as `doc.cats`, which a `textcat` of spaCy trains on.

    Args:
        docs: N documents, which are changed.
        soft_labels: [N, K] probabilities.
        classes: K names.

    Returns:
        The documents.

    Raises:
        InvalidArgumentError: if lengths differ.
    """
    kept, p = list(docs), np.asarray(soft_labels, np.float64)
    if p.shape != (len(kept), len(classes)):
        raise InvalidArgumentError(
            f"soft labels must be [documents, classes] = {(len(kept), len(classes))}, got shape {p.shape}",
            field="soft_labels",
        )
    for doc, row in zip(kept, p.tolist(), strict=True):
        doc.cats = dict(zip(classes, row, strict=True))
    return kept


def gold_from_cats(docs: Iterable[Any], classes: Sequence[str]) -> NDArray[np.int32]:
    """[N] class indices out of `doc.cats`, as gold for `fit`: the one category above one half, -1 where there is none.

    Raises:
        InvalidArgumentError: for a document with two such categories, or one that is no class; it says which.
    """
    index = {name: k for k, name in enumerate(classes)}
    gold = []
    for at, doc in enumerate(docs):
        named = [name for name, value in doc.cats.items() if value > 0.5]
        if len(named) > 1 or (named and named[0] not in index):
            what = " and ".join(map(repr, named))
            raise InvalidArgumentError(
                f"document {at} has the category {what}: one of {', '.join(classes)} is expected", field="docs"
            )
        gold.append(index[named[0]] if named else ABSTAIN)
    return np.array(gold, np.int32)

"""Spans in documents, from votes on their tokens."""

from weaklabel.kinds.sequences.documents import Document
from weaklabel.kinds.sequences.functions import SpanFunction, apply_spans, span_function, token_votes
from weaklabel.kinds.sequences.model import SequenceModel, SourceRow
from weaklabel.kinds.sequences.spans import Span, token_spans

__all__ = [
    "Document",
    "SequenceModel",
    "SourceRow",
    "Span",
    "SpanFunction",
    "apply_spans",
    "span_function",
    "token_spans",
    "token_votes",
]

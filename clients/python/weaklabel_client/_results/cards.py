"""The card of a label set."""

from dataclasses import dataclass

from weaklabel_client._results.short import ShortRepr
from weaklabel_protocol.v1 import releases_pb2


@dataclass(frozen=True, repr=False)
class Card(ShortRepr):
    """The card of a released label set: the same bytes as weaklabel.report.card of the same votes, model and words.

    Attributes:
        model: "projects/ID/models/ID".
        json: Croissant 1.0, as JSON-LD.
        markdown: A data card in Markdown, with the header that Hugging Face reads.
    """

    model: str
    json: str
    markdown: str

    @classmethod
    def from_message(cls, message: releases_pb2.GetCardResponse) -> "Card":
        """Reads the contract's message."""
        return cls(message.model, message.json, message.markdown)

    def to_json(self) -> str:
        """Croissant 1.0, as JSON-LD."""
        return self.json

    def to_markdown(self) -> str:
        """A data card in Markdown, with the header that Hugging Face reads."""
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown.split("---\n", 2)[2]

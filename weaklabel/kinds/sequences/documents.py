"""Documents with a text and tokens, for functions and prompts that give spans in characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weaklabel.errors import InvalidArgumentError

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its tokens. `len` is the number of tokens, as `lengths` of `SequenceModel.fit` want it.

    Attributes:
        text: of the document.
        offsets: (start, end) of each token in characters, end exclusive, in order and without overlap.

    Raises:
        InvalidArgumentError: for tokens that are empty, out of order, over each other or outside the text.

    Examples:
        >>> document = Document.from_text("Mr. Smith left")
        >>> document.tokens
        ('Mr', '.', 'Smith', 'left')
        >>> Document.from_tokens(["Mr.", "Smith"]).offsets
        ((0, 3), (4, 9))
    """

    text: str
    offsets: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InvalidArgumentError(f"the text of a document must be a str, got {self.text!r}", field="text")
        pairs = tuple((int(start), int(end)) for start, end in self.offsets)
        object.__setattr__(self, "offsets", pairs)
        last = 0
        for at, (start, end) in enumerate(pairs):
            if not last <= start < end <= len(self.text):
                raise InvalidArgumentError(
                    f"token {at} ({start}, {end}) is empty, before the end of the last one, or not within the "
                    f"{len(self.text)} characters",
                    field="offsets",
                )
            last = end

    @classmethod
    def from_text(cls, text: str) -> Document:
        """A text whose tokens are its words, and every other character that is not white space."""
        return cls(text, tuple(match.span() for match in _TOKEN.finditer(text)))

    @classmethod
    def from_tokens(cls, tokens: Iterable[str], separator: str = " ") -> Document:
        """The text of tokens that have one separator between them."""
        words = list(tokens)
        offsets, at = [], 0
        for word in words:
            offsets.append((at, at + len(word)))
            at += len(word) + len(separator)
        return cls(separator.join(words), tuple(offsets))

    @property
    def tokens(self) -> tuple[str, ...]:
        """The texts of the tokens."""
        return tuple(self.text[start:end] for start, end in self.offsets)

    def __len__(self) -> int:
        return len(self.offsets)


def check_documents(documents: Sequence[object], source: str) -> None:
    """Refuses what has no text.

    Raises:
        InvalidArgumentError: names the source that needs it and the document.
    """
    for at, one in enumerate(documents):
        if not isinstance(one, Document):
            raise InvalidArgumentError(
                f"{source!r} gives spans in characters, but document {at} is a {type(one).__name__}: "
                "Document.from_text or Document.from_tokens make documents with a text and tokens",
                field="documents",
            )

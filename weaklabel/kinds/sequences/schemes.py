"""Tagging schemes: which tags there are, which may follow which, and the spans that tags stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError

SchemeName = Literal["BIO", "IO", "BIOES"]
LETTERS: dict[str, str] = {"BIO": "BI", "IO": "I", "BIOES": "BIES"}
"""Positions within a span, by scheme; "O" is outside."""
FOLLOWERS: dict[str, dict[str, str]] = {
    "BIO": {"B": "I", "I": "I"},
    "IO": {"I": "I"},
    "BIOES": {"B": "IE", "I": "IE", "E": "", "S": ""},
}
"""Positions of the same type that may follow one within its span."""
OPENING: dict[str, str] = {"BIO": "B", "IO": "I", "BIOES": "BS"}
"""Positions on which a span may begin."""


class Scheme(NamedTuple):
    """K tags: "O", then those of each type.

    Tag 0 is "O". What follows what is said of labels; votes may be of any tags.
    """

    name: str
    types: tuple[str, ...]
    tags: tuple[str, ...]
    """K names, such as "O", "B-PER", "I-PER"."""
    letter: NDArray[np.str_]
    """[K] "O", "B", "I", "E" or "S"."""
    type_of: NDArray[np.int64]
    """[K] index of the type; -1 of "O"."""
    first: NDArray[np.bool_]
    """[K] tags that a document may begin with."""
    legal: NDArray[np.bool_]
    """[K, K] whether the tag of the second axis may follow that of the first."""
    last: NDArray[np.bool_]
    """[K] tags that a document may end on."""


def read_scheme(types: Sequence[str], name: str) -> Scheme:
    """The tags of a scheme.

    Args:
        types: names of the types of spans, such as "PER".
        name: "BIO", "IO" or "BIOES".

    Raises:
        InvalidArgumentError: for another scheme; and types that are none, repeated, empty, or not texts.
    """
    if name not in LETTERS:
        raise InvalidArgumentError(f'scheme must be "BIO", "IO" or "BIOES", got {name!r}', field="scheme")
    if isinstance(types, str) or not all(isinstance(one, str) and one.strip() for one in types) or not len(types):
        raise InvalidArgumentError(f"types must be a list of names of span types, got {types!r}", field="types")
    if len(set(types)) < len(types):
        raise InvalidArgumentError(f"types must differ, got {list(types)}", field="types")
    kinds = [("O", -1)] + [(letter, at) for at in range(len(types)) for letter in LETTERS[name]]
    tags = tuple("O" if letter == "O" else f"{letter}-{types[at]}" for letter, at in kinds)
    inner, opening = FOLLOWERS[name], OPENING[name]
    closed = [letter == "O" or name != "BIOES" or letter in "ES" for letter, _ in kinds]
    opens = [letter == "O" or letter in opening for letter, _ in kinds]
    legal = np.array(
        [
            [
                (done and open_) or (at == kind and after in inner.get(letter, ""))
                for (after, kind), open_ in zip(kinds, opens, strict=True)
            ]
            for (letter, at), done in zip(kinds, closed, strict=True)
        ]
    )
    return Scheme(
        name=name,
        types=tuple(types),
        tags=tags,
        letter=np.array([letter for letter, _ in kinds]),
        type_of=np.array([at for _, at in kinds]),
        first=np.array(opens),
        legal=legal,
        last=np.array(closed),
    )

"""Which texts in votes are classes, and which say that there is no vote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from weaklabel.errors import InvalidArgumentError, InvalidVotesError

MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "#n/a", "abstain"})
"""What says in small letters that there is no vote, unless it is named as a class."""
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)(\.0+)?")
_FRACTION = re.compile(r"[+-]?(\d*[.,]\d+|\d+\.?)([eE][+-]?\d+)?")


class Vocabulary(NamedTuple):
    """The classes, and what each text of a file stands for."""

    classes: tuple[str, ...]
    """K names, in the order of the class indices."""
    indices: dict[str, int]
    """Of each text: a class index, or -1 for an abstain."""
    abstains: tuple[str, ...]
    """Texts that were read as abstains."""
    unknown: tuple[str, ...]
    """Texts that are neither; only where the classes were given."""


def vocabulary(
    texts: Mapping[str, str], classes: Sequence[str] | None = None, abstain: Sequence[str] | None = None
) -> Vocabulary:
    """The classes of the texts in a file: given, or all that are no abstain, sorted, numbers by their size.

    Where all are whole numbers, "1.0" is the class "1", and -1 abstains beside 0 and
    beside words, as is the custom of the field.

    Args:
        texts: the different texts of votes and known labels, each with the place where it first stands.
        classes: K names. Each is a class, even if it is called "None".
        abstain: texts that say that there is no vote; where given, -1 is a class unless it is among them.

    Raises:
        InvalidVotesError: for fewer than two classes, fractions, and -1 of which it is not clear what it means.
        InvalidArgumentError: for a class that is given twice, or as an abstain as well.
    """
    silent = {text.strip().lower() for text in abstain or ()}
    if classes is not None:
        return _of_classes(texts, classes, silent, minus_one=abstain is None)
    known = [text for text in texts if text.lower() not in MISSING and text.lower() not in silent]
    numeric = bool(known) and all(_WHOLE.fullmatch(text) for text in known)
    names = {text: str(int(float(text))) if numeric else text for text in known}
    found = set(names.values())
    if numeric and "-1" in found and abstain is None:
        place = next(texts[text] for text, name in names.items() if name == "-1")
        if "0" not in found:
            raise InvalidVotesError(
                f"{place} holds -1, which may be a class or an abstain: write --abstain=-1, or --classes=-1,1 (and "
                "--abstain=0 where 0 abstains)",
                field="classes",
            )
        found.discard("-1")
    if numeric:
        found -= {str(int(float(text))) for text in silent if _WHOLE.fullmatch(text)}
    else:
        if abstain is None:
            found -= {text for text in known if text in ("-1", "-1.0")}
        _refuse_fractions(known, texts)
    kept = tuple(sorted(found, key=int) if numeric else sorted(found))
    if len(kept) < 2:
        told = f"only the class {kept[0]!r}" if kept else "no class"
        raise InvalidVotesError(f"the votes name {told}: name all by --classes A,B", field="classes")
    index = {name: k for k, name in enumerate(kept)}
    indices = {text: index.get(names.get(text, ""), -1) for text in texts}
    return Vocabulary(kept, indices, tuple(text for text, k in indices.items() if k < 0), ())


def _of_classes(texts: Mapping[str, str], classes: Sequence[str], silent: set[str], *, minus_one: bool) -> Vocabulary:
    kept = tuple(name.strip() for name in classes)
    if len(set(kept)) < max(len(kept), 2) or "" in kept:
        raise InvalidArgumentError(
            f"classes must be two names or more, all different: {', '.join(kept)}", field="classes"
        )
    if both := [name for name in kept if name.lower() in silent]:
        raise InvalidArgumentError(f"{both[0]!r} is given as a class and as an abstain", field="classes")
    index = {name: k for k, name in enumerate(kept)}
    indices: dict[str, int] = {}
    unknown = []
    for text in texts:
        plain = str(int(float(text))) if _WHOLE.fullmatch(text) else text
        if text in index or plain in index:
            indices[text] = index.get(text, index.get(plain, -1))
        elif text.lower() in MISSING or {text.lower(), plain} & silent or (minus_one and plain == "-1"):
            indices[text] = -1
        else:
            unknown.append(text)
    return Vocabulary(kept, indices, tuple(text for text, k in indices.items() if k < 0), tuple(unknown))


def _refuse_fractions(known: Sequence[str], texts: Mapping[str, str]) -> None:
    """A column of measurements among the votes would make a class of each."""
    for text in known:
        if _FRACTION.fullmatch(text) and not _WHOLE.fullmatch(text):
            raise InvalidVotesError(
                f"{texts[text]} holds {text}, a fraction, which is no class: name the columns of votes by --sources, "
                "or the classes by --classes",
                field="classes",
            )

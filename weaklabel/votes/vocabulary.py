"""Which texts in files and frames of votes are classes, and which say that there is no vote."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from weaklabel.errors import InvalidArgumentError, InvalidVotesError

MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "#n/a", "abstain"})
"""What says in small letters that there is no vote, unless it is named as a class."""
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)(\.0+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_FRACTION = re.compile(r"[+-]?(\d*[.,]\d+|\d+\.|\d+(?=[eE]))([eE][+-]?\d+)?")


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
    bent: tuple[tuple[str, str], ...] = ()
    """Texts that were read as classes which are written otherwise, and these."""


def vocabulary(
    texts: Mapping[str, str], classes: Sequence[str] | None = None, abstain: Sequence[str] | None = None
) -> Vocabulary:
    """The classes of the texts in a file: given, or all that are no abstain, sorted, numbers by their size.

    Where all are whole numbers, "1.0" is the class "1", and -1 abstains beside 0 and beside words, as is the custom of
    the field. "Spam" is "spam" where only this is given; without classes, both in one file are refused.

    Args:
        texts: the different texts of votes and known labels, each with the place where it first stands.
        classes: K names. Each is a class, even if it is called "None".
        abstain: texts that say that there is no vote; where given, -1 is a class unless it is among them.

    Raises:
        InvalidVotesError: for fewer than two classes, fractions, dates, names that differ in capitals or the like only,
            and -1 of which it is not clear what it means.
        InvalidArgumentError: for a class that is given twice, or as an abstain as well.
    """
    silent = {text.strip().lower() for text in abstain or ()}
    if classes is not None:
        return _of_classes(texts, classes, silent, minus_one=abstain is None)
    known = [text for text in texts if text.lower() not in MISSING and text.lower() not in silent]
    numeric = bool(known) and all(_WHOLE.fullmatch(text) for text in known)
    names = {text: _whole(text) if numeric else text for text in known}
    found = set(names.values())
    if numeric and "-1" in found and abstain is None:
        place = next(texts[text] for text, name in names.items() if name == "-1")
        if "0" not in found:
            raise InvalidVotesError(
                f"{place} holds -1, which may be a class or an abstain: name it in abstain (--abstain=-1), or name the "
                "classes (--classes=-1,1, and --abstain=0 where 0 abstains)",
                field="classes",
            )
        found.discard("-1")
    if numeric:
        found -= {_whole(text) for text in silent if _WHOLE.fullmatch(text)}
    else:
        if abstain is None:
            found -= {text for text in known if text in ("-1", "-1.0")}
        _refuse_measurements(known, texts)
    _refuse_alike([text for text in known if names[text] in found], names, texts)
    kept = tuple(sorted(found, key=int) if numeric else sorted(found))
    if len(kept) < 2:
        told = f"only the class {kept[0]!r}" if kept else "no class"
        raise InvalidVotesError(f"the votes name {told}: name all (--classes A,B)", field="classes")
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
    spelt = _spelt(kept)
    indices: dict[str, int] = {}
    unknown, bent = [], []
    for text in texts:
        plain = _whole(text) if _WHOLE.fullmatch(text) else text
        if text in index or plain in index:
            indices[text] = index.get(text, index.get(plain, -1))
        elif text.lower() in MISSING or {text.lower(), plain} & silent or (minus_one and plain == "-1"):
            indices[text] = -1
        elif (name := spelt.get(folded(text))) is not None:
            indices[text] = index[name]
            bent.append((text, name))
        else:
            unknown.append(text)
    abstains = tuple(text for text, k in indices.items() if k < 0)
    return Vocabulary(kept, indices, abstains, tuple(unknown), tuple(bent))


def folded(name: str) -> str:
    """What is left of a name without capitals, kinds of blanks, and other ways to write the same."""
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return plain.removesuffix(".0").lstrip("0") or "0" if re.fullmatch(r"\d+(\.0)?", plain) else plain


def _spelt(classes: Sequence[str]) -> dict[str, str]:
    """The one class of each folded name."""
    found: dict[str, list[str]] = {}
    for name in classes:
        found.setdefault(folded(name), []).append(name)
    return {text: names[0] for text, names in found.items() if len(names) == 1}


def _whole(text: str) -> str:
    """A whole number as an integer is written. Not by way of a float, which has 15 digits."""
    return str(int(text.partition(".")[0]))


def _refuse_alike(known: Sequence[str], names: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Two ways to write what is likely one class would make two of it."""
    seen: dict[str, str] = {}
    for text in known:
        other = seen.setdefault(folded(text), text)
        if names[other] != names[text]:
            raise InvalidVotesError(
                f"{texts[text]} holds {text!r}, and {texts[other]} {other!r}: give classes (--classes) with one of the "
                "two if they are the same class, with both if they are not",
                field="classes",
            )


def _refuse_measurements(known: Sequence[str], texts: Mapping[str, str]) -> None:
    """A column of measurements or dates among the votes would make a class of each."""
    for text in known:
        fraction = _FRACTION.fullmatch(text) and not _WHOLE.fullmatch(text)
        if fraction or _DATE.fullmatch(text):
            raise InvalidVotesError(
                f"{texts[text]} holds {text}, a {'fraction' if fraction else 'date'}, which is no class: name the "
                "columns of votes (sources), or the classes",
                field="classes",
            )


def whole_number(text: str) -> int | None:
    """The whole number that a text is, "1.0" among them; None where it is none."""
    return int(_whole(text)) if _WHOLE.fullmatch(text) else None

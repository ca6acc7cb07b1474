"""What the annotation tools share: annotations become votes, soft labels an order of work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._archive import write_file
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import ABSTAIN, Votes

_MOST_NAMED = 10


class Annotation(NamedTuple):
    """One label."""

    item: int
    """Position."""
    source: str
    """Who gave it; empty where it is known to be right."""
    label: str
    place: str
    """Where it stands, for messages."""


@dataclass(frozen=True, eq=False)
class Exported:
    """What an export holds."""

    votes: Votes
    """N items by their ids in the tool, a source an annotator."""
    gold: NDArray[np.int32]
    """[N] labels that the tool marks as known, -1 where there is none."""
    data: list[dict[str, Any]]
    """N items, as their fields: {"text": ...}."""
    classes: tuple[str, ...]


class Entry(NamedTuple):
    """An item with its soft label, to be written."""

    item: int
    label: str
    score: float
    """Probability of the label."""
    probabilities: dict[str, float]
    """By class."""


def read_entries(source: Any, what: str) -> tuple[str, list[Any]]:
    """The name of an export, and its entries: of a JSON file, of JSON lines, or those given.

    Raises:
        InvalidVotesError: for a file that cannot be read, or is neither; with the line.
    """
    if not isinstance(source, (str, os.PathLike)):
        if isinstance(source, Mapping) or not isinstance(source, Iterable):
            raise InvalidVotesError(f"{what} must be a path or a list, got a {type(source).__name__}", field="source")
        return what, list(source)
    name = os.fspath(source)
    try:
        text = Path(source).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidVotesError(f"{name} cannot be read: {error}", field="source") from error
    if text.lstrip().startswith("["):
        try:
            return name, list(json.loads(text))
        except ValueError as error:
            raise InvalidVotesError(f"{name} is no JSON: {error}", field="source") from error
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise InvalidVotesError(f"{name}, line {number} is no JSON: {error}", field="source") from error
    return name, entries


def as_mapping(entry: Any, place: str) -> Mapping[str, Any]:
    """An entry that is an object.

    Raises:
        InvalidVotesError: if it is none.
    """
    if not isinstance(entry, Mapping):
        raise InvalidVotesError(f"{place} is {entry!r}, not an object", field="source")
    return entry


def the_one(names: Iterable[str], given: str | None, what: str, field: str, source: str) -> str:
    """The question, control or the like that labels are of.

    Raises:
        InvalidVotesError: if there is none; if there are several and none is named; if the one named is not there.
    """
    known = list(dict.fromkeys(names))
    shown = ", ".join(map(repr, known[:_MOST_NAMED])) or "none"
    if given is not None:
        if known and given not in known:
            raise InvalidVotesError(f"{source} has no {what} {given!r}; it has {shown}", field=field)
        return given
    if len(known) != 1:
        raise InvalidVotesError(f"{source} has {len(known)} {what}s, {shown}: name one, {field}=...", field=field)
    return known[0]


def one_label(value: Any, place: str) -> str:
    """A single label as text.

    Raises:
        InvalidVotesError: for several, and for what is no label.
    """
    if isinstance(value, list):
        if len(value) != 1:
            raise InvalidVotesError(
                f"{place} has {len(value)} labels, {value!r}: items of several labels are not read", field="source"
            )
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or str(value).strip() == "":
        raise InvalidVotesError(f"{place} is {value!r}, which is no label", field="source")
    return str(value).strip()


def exported(
    name: str,
    annotations: Sequence[Annotation],
    known: Sequence[Annotation],
    ids: Sequence[str],
    data: list[dict[str, Any]],
    classes: Sequence[str] | None,
) -> Exported:
    """Annotations as votes.

    Args:
        name: of the export.
        annotations: in the order in which they were made.
        known: labels that are right.
        ids: [N]
        data: [N]
        classes: K names; all labels, sorted, where not given.

    Raises:
        InvalidVotesError: for labels that are no classes, fewer than two, an id twice, and an annotator who says two
            things of one item; with both places.
    """
    names = sorted({one.label for one in (*annotations, *known)}) if classes is None else list(map(str, classes))
    if len(set(names)) < max(2, len(names)):
        raise InvalidVotesError(f"{name} names the classes {names}: name all, classes=[...]", field="classes")
    seen: dict[str, int] = {}
    for at, key in enumerate(ids):
        if (first := seen.setdefault(key, at)) != at:
            raise InvalidVotesError(
                f"{name}: entries {first + 1} and {at + 1} both have the id {key!r}", field="source"
            )
    index = {label: k for k, label in enumerate(names)}
    for one in (*annotations, *known):
        if one.label not in index:
            shown = ", ".join(names[:_MOST_NAMED])
            raise InvalidVotesError(
                f"{one.place} is {one.label!r}, which is no class; they are {shown}", field="source"
            )
    sources: dict[str, int] = {}
    said: dict[tuple[int, int], Annotation] = {}
    for one in annotations:
        earlier = said.setdefault((one.item, sources.setdefault(one.source, len(sources))), one)
        if earlier.label != one.label:
            raise InvalidVotesError(
                f"{one.place} is {one.label!r}, and {earlier.place} {earlier.label!r}: {one.source!r} says two things "
                "of one item",
                field="source",
            )
    if not sources:
        raise InvalidVotesError(f"{name} holds no annotation", field="source")
    votes = Votes.from_triples(
        [item for item, _ in said],
        [source for _, source in said],
        [index[one.label] for one in said.values()],
        n_classes=len(names),
        item_ids=ids,
        source_names=list(sources),
    )
    gold = np.full(len(ids), ABSTAIN, np.int32)
    for one in known:
        if gold[one.item] not in (ABSTAIN, index[one.label]):
            raise InvalidVotesError(f"{one.place} is {one.label!r}, and another one is known", field="source")
        gold[one.item] = index[one.label]
    return Exported(votes, gold, data, tuple(names))


def entries_of(soft_labels: ArrayLike, classes: Sequence[str], n_items: int, n: int | None) -> list[Entry]:
    """Items with their soft labels: all in order, or the n whose likeliest class is least likely, that first.

    Raises:
        InvalidArgumentError: for soft labels of another shape or that are no probabilities, and n below 1.
    """
    p = np.asarray(soft_labels, np.float64)
    if p.shape != (n_items, len(classes)) or not (np.isfinite(p).all() and (np.abs(p.sum(1) - 1) < 1e-3).all()):
        raise InvalidArgumentError(
            f"soft labels must be probabilities [items, classes] = {(n_items, len(classes))}, got shape {p.shape}",
            field="soft_labels",
        )
    if n is not None and (isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1):
        raise InvalidArgumentError(f"n must be a number of items, got {n!r}", field="n")
    order = np.arange(n_items) if n is None else np.argsort(p.max(1), kind="stable")[:n]
    found = []
    for item in order.tolist():
        row = [round(value, 6) for value in p[item].tolist()]
        best = int(p[item].argmax())
        found.append(Entry(item, classes[best], row[best], dict(zip(classes, row, strict=True))))
    return found


def fields_of(data: Sequence[Any], field: str) -> list[dict[str, Any]]:
    """Items as their fields: a text stands as {field: text}."""
    return [dict(one) if isinstance(one, Mapping) else {field: one} for one in data]


def ids_of(ids: Iterable[Any] | None, n_items: int) -> list[Any]:
    """[N] ids, None for each where there are none.

    Raises:
        InvalidArgumentError: for more or fewer than items.
    """
    kept = [None] * n_items if ids is None else list(ids)
    if len(kept) != n_items:
        raise InvalidArgumentError(f"{len(kept)} ids are given for {n_items} items", field="ids")
    return [one.item() if isinstance(one, np.generic) else one for one in kept]


def write_entries(path: str | os.PathLike[str], entries: Sequence[Mapping[str, Any]]) -> None:
    """Writes what the adapters make for a tool's import: a JSON array, or an object a line to *.jsonl.

    Raises:
        OSError: if it cannot be written.
    """
    if os.fspath(path).lower().endswith(".jsonl"):
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entries)
    else:
        text = json.dumps(list(entries), ensure_ascii=False, indent=1)
    write_file(path, text.encode())

"""Data sets of WRENCH: JSON files {id: {"label": 0, "weak_labels": [-1, 0, 1], "data": {...}}}, a folder a data set.

Typical use::

    train = read_wrench("datasets/youtube", "train")
    model = LabelModel(classes=train.classes).fit(train.votes)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._archive import write_file
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.side_information.gold import as_gold
from weaklabel.votes import ABSTAIN, Votes, check_votes

__all__ = ["WrenchData", "read_wrench", "write_wrench"]


@dataclass(frozen=True, eq=False)
class WrenchData:
    """One split of a data set."""

    votes: Votes
    """N items, with their ids."""
    gold: NDArray[np.int32]
    """[N] class indices, -1 where unknown."""
    data: list[dict[str, Any]]
    """N examples, as {"text": ...}."""
    classes: tuple[str, ...]


def read_wrench(
    path: str | os.PathLike[str], split: str | None = None, *, classes: Sequence[str] | None = None
) -> WrenchData:
    """Votes, known labels and examples of a file, or of a split of a data set.

    Args:
        path: of a JSON file; with `split`, of the folder that holds SPLIT.json and label.json.
        split: "train", "valid" or "test".
        classes: K names; where not given those of label.json, or else "0", "1", ... up to the largest label.

    Raises:
        InvalidVotesError: for a file that is none of WRENCH, labels out of range, and votes that are more or fewer than
            those of the first item; with file and item.
    """
    file = Path(path) if split is None else Path(path) / f"{split}.json"
    entries = _json(file)
    if not entries:
        raise InvalidVotesError(f"{file} holds no item", field="path")
    names = classes if classes is not None else _class_names(file.with_name("label.json"))
    rows, gold, data = [], [], []
    for key, entry in entries.items():
        place = f"{file}, item {key!r}"
        if not isinstance(entry, dict) or not isinstance(entry.get("weak_labels"), list):
            raise InvalidVotesError(f"{place} has no list weak_labels", field="path")
        rows.append([_label(vote, f"{place}, vote {at}") for at, vote in enumerate(entry["weak_labels"])])
        if len(rows[-1]) != len(rows[0]):
            raise InvalidVotesError(f"{place} has {len(rows[-1])} votes, the first item {len(rows[0])}", field="path")
        gold.append(_label(entry.get("label"), f"{place}, label"))
        example = entry.get("data")
        data.append(example if isinstance(example, dict) else {"data": example})
    n_classes = max(2, 1 + max(max(gold), *map(max, rows))) if names is None else len(names)
    ids = list(entries)
    for what, labels in (("vote", np.array(rows)), ("label", np.array(gold)[:, None])):
        wrong = labels >= n_classes
        if wrong.any():
            item, at = np.argwhere(wrong)[0].tolist()
            raise InvalidVotesError(
                f"{file}, item {ids[item]!r}: {what} {labels[item, at]} is no class; there are {n_classes}",
                field="path",
            )
    votes = Votes.from_dense(np.array(rows, np.int64), n_classes, items=ids)
    kept = tuple(map(str, range(n_classes))) if names is None else tuple(names)
    return WrenchData(votes, np.array(gold, np.int32), data, kept)


def write_wrench(
    path: str | os.PathLike[str], votes: Votes, data: Sequence[Any] | None = None, gold: ArrayLike | None = None
) -> None:
    """Writes a file that WRENCH reads.

    Args:
        path: of the file, conventionally train.json, valid.json or test.json.
        votes: N items, plain votes; "0", "1", ... where they have no ids.
        data: N examples; those that are no dict stand as {"text": example}.
        gold: [N] known labels, -1 where unknown.

    Raises:
        InvalidArgumentError: for votes that are not plain, and examples or labels of another number.
        OSError: if it cannot be written.
    """
    if not check_votes(votes).is_plain:
        raise InvalidArgumentError("files of WRENCH hold one class a vote: candidate sets and soft votes have no place")
    if data is not None and len(data) != votes.n_items:
        raise InvalidArgumentError(f"data has {len(data)} examples, votes {votes.n_items} items", field="data")
    known = np.full(votes.n_items, ABSTAIN) if gold is None else as_gold(gold, votes)
    ids = map(str, range(votes.n_items)) if votes.item_ids is None else votes.item_ids.tolist()
    entries = {}
    for at, (key, row) in enumerate(zip(ids, votes.to_dense().tolist(), strict=True)):
        example = {} if data is None else data[at] if isinstance(data[at], Mapping) else {"text": data[at]}
        entries[key] = {"label": int(known[at]), "weak_labels": row, "data": dict(example)}
    write_file(path, json.dumps(entries, ensure_ascii=False).encode())


def _json(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except OSError as error:
        raise InvalidVotesError(f"{file} cannot be read: {error.strerror or error}", field="path") from error
    except ValueError as error:
        raise InvalidVotesError(f"{file} is no JSON: {error}", field="path") from error
    if not isinstance(read, dict):
        raise InvalidVotesError(f"{file} holds a {type(read).__name__}, not an object of items by id", field="path")
    return read


def _class_names(file: Path) -> list[str] | None:
    if not file.exists():
        return None
    names = _json(file)
    if sorted(names) != sorted(map(str, range(len(names)))):
        raise InvalidVotesError(f"{file} must name the classes 0 to {len(names) - 1}", field="path")
    return [str(names[str(at)]) for at in range(len(names))]


def _label(value: Any, place: str) -> int:
    if value is None:
        return ABSTAIN
    if isinstance(value, list):
        raise InvalidVotesError(f"{place} is a list: labels of sequences are not read", field="path")
    if isinstance(value, bool) or not isinstance(value, int) or value < ABSTAIN:
        raise InvalidVotesError(f"{place} is {value!r}: a class index, or -1, is expected", field="path")
    return value

"""Votes on tags, read and checked: of arrays, frames and dense blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel_protocol.names import column_names, default_sources, label_text

ITEM_NAMES = ("item", "item_id", "task", "task_id", "id")
SOURCE_NAMES = ("source", "worker", "annotator", "labeler", "judge", "rater", "source_id", "worker_id")
TAG_NAMES = ("tag", "label", "class")
VALUE_NAMES = ("value", "vote", "answer")
NOTHING = -1
"""Tag of a row that says only that a source has looked at an item."""


@dataclass(frozen=True, eq=False)
class TagVotes:
    """J votes, yes or no, of M sources on K tags of N items; at most one of a source on a tag of an item."""

    item: NDArray[np.int32]
    """[J] 0..N-1."""
    tag: NDArray[np.int32]
    """[J] 0..K-1, or -1 where a source has looked at an item and listed nothing."""
    source: NDArray[np.int32]
    """[J] 0..M-1."""
    yes: NDArray[np.bool_]
    """[J]"""
    item_ids: NDArray[Any]
    """[N]"""
    source_names: tuple[str, ...]
    """M names."""

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.item_ids)

    @property
    def n_sources(self) -> int:
        """M."""
        return len(self.source_names)

    @property
    def n_votes(self) -> int:
        """J."""
        return len(self.tag)

    def of_sources(self, names: Sequence[str]) -> TagVotes:
        """The same with sources in another order.

        Raises:
            InvalidVotesError: if a source is not among the names.
        """
        place = {name: at for at, name in enumerate(names)}
        if unknown := [name for name in self.source_names if name not in place]:
            raise InvalidVotesError(
                f"source {unknown[0]!r} is not among the {len(names)} sources of the fit", field="source"
            )
        new = np.array([place[name] for name in self.source_names], np.int32)
        return replace(self, source=new[self.source], source_names=tuple(names))


def read_tag_votes(votes: Any, tags: Sequence[str], source: Any = None, tag: Any = None, value: Any = None) -> TagVotes:
    """Votes of arrays, of a frame with a row a vote, or of a dense block.

    Args:
        votes: TagVotes; [J] items, with `source` and `tag`; a frame with columns for item, source and tag, and one for
            the vote if there is one; or an array [N, M, K] of 1 for yes, 0 for no and -1 for nothing.
        tags: K names.
        source: [J] names or numbers.
        tag: [J] names of `tags`; None or NaN where a source has looked at an item and listed nothing.
        value: [J] of 1 for yes and 0 for no; all yes if left out.

    Raises:
        InvalidVotesError: for what cannot be read, unknown tags, two votes of a source on a tag of an item, and no vote
            at all; the message names the place.
    """
    if isinstance(votes, TagVotes):
        if votes.n_votes and votes.tag.max() >= len(tags):
            raise InvalidVotesError(f"the votes have tag {votes.tag.max()}, the model {len(tags)} tags", field="tag")
        return votes
    if (source is None) != (tag is None):
        raise InvalidVotesError("items need both source and tag", field="source" if source is None else "tag")
    if source is not None:
        return _of_rows(votes, source, tag, value, tags)
    names = column_names(votes)
    if names is not None:
        wanted = (ITEM_NAMES, SOURCE_NAMES, TAG_NAMES, VALUE_NAMES)
        found = [next((name for name in known if name in names), None) for known in wanted]
        if None in found[:3]:
            missing = ("item", "source", "tag")[found.index(None)]
            raise InvalidVotesError(f"the frame has no column {missing!r}: it has {', '.join(names)}", field=missing)
        item, who, what = (votes[name] for name in found[:3])
        return _of_rows(item, who, what, None if found[3] is None else votes[found[3]], tags)
    return _of_block(votes, tags)


def read_tag_gold(gold: Any, votes: TagVotes, tags: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Item, tag and truth (0 or 1) of each known cell.

    Args:
        gold: a mapping from item id to the names of all its tags; or [N, K] of 1, 0 and -1 for unknown, in the order of
            the ids.
        votes: the votes.
        tags: K names.

    Raises:
        InvalidArgumentError: for another shape or values, unknown items or tags, and gold without a value.
    """
    if isinstance(gold, Mapping):
        known = np.full((votes.n_items, len(tags)), -1, np.int8) if len(gold) else np.empty((0, len(tags)), np.int8)
        place = {label_text(one): at for at, one in enumerate(votes.item_ids.tolist())}
        column = {name: at for at, name in enumerate(tags)}
        for one, listed in gold.items():
            if label_text(one) not in place:
                raise InvalidArgumentError(f"gold is given for item {one!r}, which has no votes", field="gold")
            if isinstance(listed, str) or (unknown := [name for name in listed if name not in column]):
                told = listed if isinstance(listed, str) else unknown[0]
                raise InvalidArgumentError(f"gold of item {one!r}: {told!r} is no list of known tags", field="gold")
            known[place[label_text(one)]] = 0
            known[place[label_text(one)], [column[name] for name in listed]] = 1
    else:
        known = np.asarray(gold)
        if known.shape != (votes.n_items, len(tags)):
            raise InvalidArgumentError(
                f"gold must be [{votes.n_items}, {len(tags)}], 1, 0 or -1 for each item and tag, or a mapping from "
                f"item id to its tags; got shape {known.shape}",
                field="gold",
            )
        if bad := _first_other(known):
            raise InvalidArgumentError(f"gold must be 1, 0 or -1: {bad}", field="gold")
    item, tag = np.nonzero(known >= 0)
    if not len(item):
        raise InvalidArgumentError("gold holds no value", field="gold")
    return item, tag, known[item, tag].astype(np.int8)


def _first_other(block: NDArray[Any]) -> str:
    if block.dtype.kind not in "biuf":
        return f"it holds {block.dtype}"
    other = np.argwhere(~np.isin(block, (-1, 0, 1)))
    return f"got {block[tuple(other[0])]} at {tuple(other[0].tolist())}" if len(other) else ""


def _of_block(votes: Any, tags: Sequence[str]) -> TagVotes:
    block = np.asarray(votes)
    if block.ndim != 3 or block.shape[2] != len(tags):
        raise InvalidVotesError(
            f"votes must be an array [items, sources, {len(tags)} tags], a frame with item, source and tag, or arrays "
            f"of these; got shape {block.shape}",
            field="votes",
        )
    if bad := _first_other(block):
        raise InvalidVotesError(f"votes must be 1, 0 or -1: {bad} (item, source, tag)", field="votes")
    item, source, tag = np.nonzero(block >= 0)
    if not len(item):
        raise InvalidVotesError("there is no vote", field="votes")
    ids, names = np.arange(len(block)), default_sources(block.shape[1])
    return _checked(item, tag, source, block[item, source, tag] == 1, ids, names, tags)


def _of_rows(item: Any, source: Any, tag: Any, value: Any, tags: Sequence[str]) -> TagVotes:
    ids, item_codes = _numbered(item, "item")
    sources, source_codes = _numbered(source, "source")
    codes = _tag_codes(tag, tags)
    yes = np.ones(len(codes), np.int8) if value is None else _answers(value)
    if not len(item_codes) == len(source_codes) == len(codes) == len(yes):
        told = f"{len(item_codes)}, {len(source_codes)}, {len(codes)} and {len(yes)}"
        raise InvalidVotesError(f"item, source, tag and value must be as many, got {told}", field="tag")
    if not (codes >= 0).any():
        raise InvalidVotesError("there is no vote", field="tag")
    return _checked(item_codes, codes, source_codes, yes == 1, ids, tuple(map(label_text, sources.tolist())), tags)


def _numbered(values: ArrayLike, what: str) -> tuple[NDArray[Any], NDArray[Any]]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidVotesError(f"{what} must have one dimension, got shape {array.shape}", field=what)
    if array.dtype.kind == "f" or array.dtype == object:
        missing = [at for at, one in enumerate(array.tolist()) if one is None or one != one]
        if missing:
            raise InvalidVotesError(f"{what} of row {missing[0]} is missing", field=what)
        if array.dtype == object:
            array = np.array([label_text(one) for one in array.tolist()])
    return np.unique(array, return_inverse=True)


def _tag_codes(tag: Any, tags: Sequence[str]) -> NDArray[np.int32]:
    array = np.asarray(tag)
    if array.ndim != 1:
        raise InvalidVotesError(f"tag must have one dimension, got shape {array.shape}", field="tag")
    place: dict[Any, int] = {name: at for at, name in enumerate(tags)}
    codes = np.empty(len(array), np.int32)
    for at, one in enumerate(array.tolist()):
        code = NOTHING if one is None or one != one else place.get(one)
        if code is None:
            raise InvalidVotesError(f"tag {one!r} of row {at} is not among the {len(tags)} tags", field="tag")
        codes[at] = code
    return codes


def _answers(value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    wrong = np.flatnonzero(~np.isin(array, (0, 1))) if array.dtype.kind in "biuf" else np.arange(min(1, array.size))
    if len(wrong):
        raise InvalidVotesError(f"value of row {wrong[0]} must be 1 or 0, got {array[wrong[0]]!r}", field="value")
    return array.astype(np.int8)


def _checked(
    item: Any, tag: Any, source: Any, yes: Any, ids: NDArray[Any], names: tuple[str, ...], tags: Sequence[str]
) -> TagVotes:
    code = (item.astype(np.int64) * (len(tags) + 1) + tag + 1) * len(names) + source
    order = np.argsort(code, kind="stable")
    twice = np.flatnonzero((np.diff(code[order]) == 0) & (np.asarray(tag)[order][1:] >= 0))
    if len(twice):
        at = order[twice[0] + 1]
        told = f"source {names[source[at]]!r} votes twice on tag {tags[tag[at]]!r} of item {ids[item[at]].item()!r}"
        raise InvalidVotesError(f"{told}: keep one of its votes (row {at})", field="votes")
    items, of, who = (np.asarray(one)[order].astype(np.int32) for one in (item, tag, source))
    answers = np.asarray(yes, np.bool_)[order]
    return TagVotes(item=items, tag=of, source=who, yes=answers, item_ids=ids, source_names=names)

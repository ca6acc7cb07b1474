"""Votes as people keep them in files: a column a source, or a row a vote, with names of classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats import archives
from weaklabel.formats.columns import ids_of, labels_of, notes_on, refuse_missing, some, vocabulary_of
from weaklabel.formats.tables import CellTable, format_of, guess_id, known_format, name_of, read_bytes, table_of
from weaklabel.votes import ABSTAIN, Votes, label_dtype
from weaklabel.votes.frames import GOLD_NAMES, LONG_NAMES, MOST_GUESSED
from weaklabel.votes.vocabulary import MISSING

MOST_ALONE = 3
"""Different values of a column above which it is not taken for votes where no other column has any of them."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the columns of a file are; None where it is found out.

    Attributes:
        classes: K names; those that stand in the file, sorted, where not given.
        abstain: texts that abstain, beside the usual ones.
        sources: columns of votes.
        id: column of ids.
        gold: column of known labels.
        labels: column of labels that may be wrong.
        long: columns of item, source and label, where each row is one vote.
        known_sources: sources of a model: of a wide file these columns are read, and no others.
    """

    classes: Sequence[str] | None = None
    abstain: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    id: str | None = None
    gold: str | None = None
    labels: str | None = None
    long: Sequence[str] | None = None
    known_sources: Sequence[str] | None = None

    @property
    def of_labels(self) -> list[str]:
        """The columns of labels, those that may be wrong last."""
        return [name for name in (self.gold, self.labels) if name is not None]


@dataclass(frozen=True, eq=False)
class VoteTable:
    """Votes out of a file.

    Attributes:
        votes: N items, M sources; with ids where the file has them.
        classes: K names.
        gold: [N] class indices, -1 where unknown; None without a column of known labels.
        id_name: the column of ids; None where items go by position.
        notes: sentences on what was found out, which may be wrong.
        labels: [N] class indices, which may be wrong, -1 where there is none; None without a column of them.
    """

    votes: Votes
    classes: tuple[str, ...]
    gold: NDArray[np.int32] | None
    id_name: str | None
    notes: tuple[str, ...] = field(default=())
    labels: NDArray[np.int32] | None = None


def read_vote_table(
    path: str | os.PathLike[str],
    layout: Layout | None = None,
    *,
    format: str | None = None,  # noqa: A002
    delimiter: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> VoteTable:
    """Votes in CSV, TSV, JSON lines, Parquet or an archive of arrays, from a file or from stdin ("-").

    Args:
        path: of the file.
        layout: what its columns are.
        format: "csv", "tsv", "jsonl", "parquet" or "npz"; by the file's name and first bytes where not given.
        delimiter: of CSV; found where not given.
        progress: called with a sentence on what is being done.

    Raises:
        InvalidVotesError: for what cannot be read, or may mean two things; with file, row and column.
        InvalidArgumentError: for options that do not go together.
        MissingExtraError: for Parquet without pyarrow.
    """
    wanted, name, data = layout or Layout(), name_of(path), read_bytes(path)
    if known_format(data, name, told := format or format_of(path)) == "npz":
        arrays = archives.read_archive(data, name, wanted.classes)
        if wanted.of_labels and arrays.gold is None:
            raise InvalidVotesError(f"{name} has no array 'gold'", field="gold")
        if len(wanted.of_labels) > 1:
            raise InvalidArgumentError(f"{name} holds one array of labels, 'gold', not two", field="gold")
        return VoteTable(
            votes=arrays.votes,
            classes=arrays.classes,
            gold=arrays.gold if wanted.gold is not None else None,
            id_name=None if arrays.votes.item_ids is None else "id",
            labels=arrays.gold if wanted.labels is not None else None,
        )
    return votes_of(table_of(data, name, told, delimiter=delimiter, progress=progress), wanted)


def votes_of(table: CellTable, layout: Layout) -> VoteTable:
    """Votes out of a table; arguments and errors as in `read_vote_table`."""
    if not len(table):
        raise InvalidVotesError(f"{table.name} has names of columns, and no rows", field="path")
    for name in (layout.id, *layout.of_labels, *(layout.long or ()), *(layout.sources or ())):
        if name is not None:
            table.column(name)  # refuses a name that is not there before anything is guessed
    found = _guess_long(table, layout)
    long = layout.long or found
    if long is not None and (layout.sources or layout.id):
        raise InvalidArgumentError("--long names item, source and label; give no --sources or --id", field="long")
    result = _long(table, layout, long) if long is not None else _wide(table, layout)
    if found and not layout.long:
        told = f"read as one vote a row: item {found[0]!r}, source {found[1]!r}, label {found[2]!r}"
        return replace(result, notes=(told, *result.notes))
    return result


# ------------------------------------------------------------------------ wide


def _wide(table: CellTable, layout: Layout) -> VoteTable:
    taken = {*(layout.sources or ()), *(layout.known_sources or ()), *layout.of_labels}
    id_name = layout.id if layout.id is not None else guess_id(table, taken)
    beside = {id_name, *layout.of_labels}
    sources, notes = _sources(table, layout, beside)
    if repeated := {one for one, count in Counter(sources).items() if count > 1} | (set(sources) & beside):
        raise InvalidArgumentError(f"column {min(map(str, repeated))!r} is named for two things", field="sources")
    codes = table.block(sources)
    if layout.sources is None and layout.known_sources is None:
        _refuse_no_votes(table, sources, codes)
    words = vocabulary_of(table, sources, codes, layout.of_labels, layout.classes, layout.abstain)
    labels = labels_of(table, codes, words)
    if layout.classes is None:
        _refuse_no_names(table, sources, words.classes, labels)
    votes = Votes.from_dense(
        labels.astype(label_dtype(len(words.classes))),
        len(words.classes),
        sources=sources,
        items=None if id_name is None else ids_of(table, id_name),
    )
    beside_votes = {name: labels_of(table, table.column(name)[:, None], words)[:, 0] for name in layout.of_labels}
    table_of_votes = VoteTable(
        votes=votes, classes=words.classes, gold=None, id_name=id_name, notes=(*notes, *notes_on(words))
    )
    return _with_labels(table_of_votes, layout, beside_votes)


def _with_labels(table: VoteTable, layout: Layout, found: Mapping[str, NDArray[np.int32]]) -> VoteTable:
    """The table with the columns of labels that were read, by name."""
    return replace(table, gold=found.get(layout.gold or ""), labels=found.get(layout.labels or ""))


def _sources(table: CellTable, layout: Layout, beside: set[str | None]) -> tuple[list[str], list[str]]:
    """The columns of votes, and what to say of their choice."""
    if layout.sources is not None:
        return list(layout.sources), []
    others = [name for name in table.columns if name not in beside and name not in table.index]
    if layout.known_sources is None:
        for name in others:
            if name.lower() in GOLD_NAMES:
                raise InvalidVotesError(
                    f"{table.name}: column {name!r} may be known labels or a source: write --gold {name}, or name the "
                    "columns of votes by --sources",
                    field="path",
                )
        if not others:
            raise InvalidVotesError(f"{table.name} has no column of votes", field="path")
        return others, []
    known = set(layout.known_sources)
    chosen, rest = [name for name in others if name in known], [name for name in others if name not in known]
    there = set(chosen)
    absent = [name for name in layout.known_sources if name not in there]
    if not chosen:
        raise InvalidVotesError(
            f"{table.name} has none of the columns that the model knows: {some(layout.known_sources)}", field="path"
        )
    notes = [f"columns that the model does not know are left out: {some(rest)}"] if rest else []
    return chosen, [*notes, *([f"sources that the file lacks abstain: {some(absent)}"] if absent else [])]


def _refuse_no_votes(table: CellTable, sources: Sequence[str], codes: NDArray[np.int32]) -> None:
    """A column of texts or numbers among the votes would make a class of each of its values."""
    empty = {code for code, text in enumerate(table.values) if text is None or text.lower() in MISSING}
    values = [set(np.unique(codes[:, number]).tolist()) - empty for number in range(len(sources))]
    spread = Counter(code for column in values for code in column)
    for name, column in zip(sources, values, strict=True):
        alone = len(sources) > 1 and len(column) > MOST_ALONE and all(spread[code] == 1 for code in column)
        if len(column) > MOST_GUESSED or alone:
            told = f"{len(column):,} different values" + (", none of which is in another column" if alone else "")
            raise InvalidVotesError(
                f"{table.name}: column {name!r} holds {told}, which are hardly votes: write --id {name} if they are "
                "ids, --gold if they are known labels, or name the columns of votes by --sources",
                field="path",
            )


def _refuse_no_names(
    table: CellTable, sources: Sequence[str], classes: Sequence[str], labels: NDArray[np.int32]
) -> None:
    """A file that begins with its first item would lose it, and call its sources by the votes on it."""
    index = {name: k for k, name in enumerate(classes)}
    alike = [at for at, name in enumerate(sources) if name in index]
    others = any(((labels[:, at] >= 0) & (labels[:, at] != index[sources[at]])).any() for at in alike)
    all_of_them = len(alike) == len(sources) and sources != [str(k) for k in range(len(sources))]
    # Sources that are called by the class that each finds vote for no other.
    if all_of_them or (len(alike) > 1 and others and not all(sources[at].isdecimal() for at in alike)):
        raise InvalidVotesError(
            f"{table.name}, {table.unit} 1 holds labels ({', '.join(sources[at] for at in alike)}), where the names of "
            "the columns must stand",
            field="path",
        )


# ------------------------------------------------------------------------ long


def _guess_long(table: CellTable, layout: Layout) -> list[str] | None:
    """The columns of item, source and label where their names tell; None for a wide file."""
    if layout.sources or layout.id or len(set(table.columns) - set(table.index)) > 4:
        return None
    found = [[name for name in table.columns if name.lower() in names] for names in LONG_NAMES]
    if any(len(names) != 1 for names in found) or set(layout.of_labels) & {names[0] for names in found}:
        return None
    return [names[0] for names in found]


def _long(table: CellTable, layout: Layout, long: Sequence[str]) -> VoteTable:
    if len(long) != 3 or len(set(long)) != 3:
        raise InvalidArgumentError("--long takes three columns: ITEM,SOURCE,LABEL", field="long")
    item, source, label = long
    items, item_ids = _numbered(table, item)
    sources, names = _numbered(table, source)
    codes = table.column(label)[:, None]
    words = vocabulary_of(table, [label], codes, layout.of_labels, layout.classes, layout.abstain)
    labels = labels_of(table, codes, words)[:, 0]
    _refuse_conflicts(table, items.astype(np.int64) * len(names) + sources, labels, label)
    votes = Votes.from_triples(
        items,
        sources,
        labels,
        n_classes=len(words.classes),
        source_names=names,
        item_ids=item_ids,
    )
    beside_votes = dict[str, NDArray[np.int32]]()
    for name in layout.of_labels:
        told = labels_of(table, table.column(name)[:, None], words)[:, 0]
        _refuse_conflicts(table, items, told, name)
        beside_votes[name] = np.full(len(item_ids), ABSTAIN, np.int32)
        beside_votes[name][items[told >= 0]] = told[told >= 0]
    of_votes = VoteTable(votes=votes, classes=words.classes, gold=None, id_name=item, notes=notes_on(words))
    return _with_labels(of_votes, layout, beside_votes)


def _numbered(table: CellTable, column: str) -> tuple[NDArray[np.int32], list[str]]:
    """Indices by appearance, and what they stand for."""
    codes = table.column(column)
    refuse_missing(table, column, codes)
    used, first, index = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[index.reshape(-1)], [str(table.values[code]) for code in used[order]]


def _refuse_conflicts(table: CellTable, keys: NDArray[np.integer], labels: NDArray[np.int32], column: str) -> None:
    """One source that says two things of one item; the same said twice is one vote."""
    rows = np.flatnonzero(labels >= 0)
    order = rows[np.lexsort((rows, keys[rows]))]
    apart = (keys[order[1:]] == keys[order[:-1]]) & (labels[order[1:]] != labels[order[:-1]])
    if apart.any():
        at = np.flatnonzero(apart)
        second = int(np.argmin(order[at + 1]))
        first, row = order[at[second]], order[at[second] + 1]
        raise InvalidVotesError(
            f"{table.place(row, column)} is {table.texts(column)[row]!r}, where {table.unit} {table.lines[first]} says "
            f"{table.texts(column)[first]!r} of the same",
            field="path",
        )

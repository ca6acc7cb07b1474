"""Votes as an archive of arrays (.npz), with the names of the classes: what NumPy reads without this library."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel._archive import UNREADABLE, write_file
from weaklabel.errors import InvalidVotesError
from weaklabel.votes import Votes, as_gold


class Archive(NamedTuple):
    """What an archive holds."""

    votes: Votes
    classes: tuple[str, ...]
    """K names."""
    gold: NDArray[np.int32] | None
    """[N] class indices, -1 where unknown."""


def read_archive(data: bytes, name: str, classes: Sequence[str] | None) -> Archive:
    """The bytes of an archive that `write_archive`, `Votes.save` or `numpy.savez` wrote.

    Its arrays: `votes` [N, M] class indices, -1 for an abstain; or one array of any name. And, if there: `classes` [K],
    `sources` [M] and `items` [N] names, and `gold` [N] class indices. Nothing is unpickled.

    Raises:
        InvalidVotesError: if it is no such archive; with row and column where a vote is no class.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays: dict[str, Any] = {key: archive[key] for key in archive.files}
    except UNREADABLE as error:
        raise InvalidVotesError(f"{name} cannot be read: {error}", field="path") from error
    if "codes" in arrays:
        votes = _saved(data)
        return Archive(votes, _names(classes, votes.n_classes, name), None)
    matrix = arrays.get("votes", next(iter(arrays.values()))) if "votes" in arrays or len(arrays) == 1 else None
    if matrix is None:
        raise InvalidVotesError(f"{name} has no array 'votes'; it has {', '.join(arrays)}", field="path")
    told = [str(one) for one in arrays["classes"]] if "classes" in arrays else None
    if classes is not None and told is not None and list(classes) != told:
        raise InvalidVotesError(f"{name} is over the classes {', '.join(told)}, not {', '.join(classes)}", field="path")
    count = int(np.nanmax(matrix, initial=1)) + 1 if matrix.dtype.kind in "iuf" else 2
    kept = tuple(classes or told or map(str, range(count)))
    try:
        votes = Votes.from_dense(matrix, len(kept), sources=arrays.get("sources"), items=arrays.get("items"))
        gold = as_gold(arrays["gold"], votes, kept) if "gold" in arrays else None
    except ValueError as error:
        raise InvalidVotesError(f"{name}: {error}", field="path") from error
    return Archive(votes, kept, gold)


def write_archive(
    path: str | os.PathLike[str], votes: Votes, classes: Sequence[str], gold: NDArray[np.int32] | None = None
) -> None:
    """Writes what `read_archive` reads.

    Raises:
        OSError: if it cannot be written.
    """
    arrays = {"votes": votes.to_dense(), "classes": np.array(classes), "sources": np.array(votes.source_names)}
    if votes.item_ids is not None:
        arrays["items"] = votes.item_ids
    if gold is not None:
        arrays["gold"] = gold
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())


def _names(classes: Sequence[str] | None, count: int, name: str) -> tuple[str, ...]:
    if classes is None:
        return tuple(str(k) for k in range(count))
    if len(classes) < count:
        raise InvalidVotesError(f"{name} is over {count} classes, {len(classes)} names are given", field="classes")
    return tuple(classes)


def _saved(data: bytes) -> Votes:
    """What `Votes.save` wrote, which reads files only."""
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "votes.npz").write_bytes(data)
        return Votes.load(path)

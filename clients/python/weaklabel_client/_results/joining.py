"""One result of the chunks of a download."""

from collections.abc import Iterator, Sequence

import numpy as np

from weaklabel_client._results.codebook import Codebook, IntArray
from weaklabel_client._results.types import SoftLabels, VoteMatrix
from weaklabel_protocol.tensors import smallest_dtype
from weaklabel_protocol.vote_objects import ABSTAIN, ERROR


def joined_votes(parts: list[VoteMatrix]) -> VoteMatrix:
    """Makes one matrix of the chunks of a read."""
    first = parts[0]
    votes, codebook = _joined([(part.votes, part.codebook) for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return VoteMatrix(
        votes_version=first.votes_version,
        row_offset=first.row_offset,
        sources=first.sources,
        items=items,
        votes=votes,
        codebook=codebook,
    )


def joined_labels(parts: list[SoftLabels]) -> SoftLabels:
    """Makes one set of soft labels of its chunks."""
    first = parts[0]
    probabilities = np.concatenate([part.probabilities for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    items = None if first.items is None else tuple(item for part in parts for item in part.items or ())
    return SoftLabels(
        model=first.model, row_offset=first.row_offset, items=items, probabilities=probabilities, labels=labels
    )


class Batches:
    """Soft labels in batches of one size, whatever the size of the chunks; the last one may be smaller."""

    def __init__(self, batch_size: int) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size: a whole number from 1 on is expected, got {batch_size!r}")
        self._size = batch_size
        self._waiting: list[SoftLabels] = []
        self._n_waiting = 0

    def add(self, chunk: SoftLabels) -> Iterator[SoftLabels]:
        """Takes a chunk; gives the batches that are full."""
        self._waiting.append(chunk)
        self._n_waiting += len(chunk.labels)
        if self._n_waiting < self._size:
            return
        whole = joined_labels(self._waiting)
        start = 0
        while self._n_waiting - start >= self._size:
            yield _rows(whole, start, start + self._size)
            start += self._size
        self._waiting, self._n_waiting = [_rows(whole, start, None)], self._n_waiting - start

    def rest(self) -> Iterator[SoftLabels]:
        """Gives what is left, if there is anything."""
        if self._n_waiting:
            yield joined_labels(self._waiting)


def _rows(labels: SoftLabels, start: int, stop: int | None) -> SoftLabels:
    return SoftLabels(
        model=labels.model,
        row_offset=labels.row_offset + start,
        items=None if labels.items is None else labels.items[start:stop],
        probabilities=labels.probabilities[start:stop],
        labels=labels.labels[start:stop],
    )


def _joined(parts: Sequence[tuple[IntArray, Codebook | None]]) -> tuple[IntArray, Codebook | None]:
    """Labels, each with its own codebook, as labels with one."""
    books = [book for _, book in parts if book is not None]
    if not books:
        return np.concatenate([labels for labels, _ in parts]), None
    n_classes = books[0].n_classes
    sets = np.unique(np.concatenate([book.candidate_sets for book in books]), axis=0)
    rows, place = np.unique(np.concatenate([book.soft_votes for book in books]), axis=0, return_inverse=True)
    known = {row.tobytes(): n_classes + at for at, row in enumerate(sets)}
    translated, first = [], 0
    for labels, book in parts:
        if book is not None:
            of_sets = [known[row.tobytes()] for row in book.candidate_sets]
            of_rows = n_classes + len(sets) + place[first : first + len(book.soft_votes)]
            first += len(book.soft_votes)
            table = np.concatenate([np.arange(n_classes), of_sets, of_rows, [ERROR, ABSTAIN]]).astype(np.int32)
            labels = table[labels]  # negative codes count from the end
        translated.append(labels)
    whole = np.concatenate(translated)
    return whole.astype(smallest_dtype(whole), copy=False), Codebook(sets, rows)

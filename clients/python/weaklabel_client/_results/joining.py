"""One result of the chunks of a download."""

from collections.abc import Sequence

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

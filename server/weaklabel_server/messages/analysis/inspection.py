"""What sources do, one by one and two by two, and scores of slices, as messages."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import inspection_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.analysis.cutting import NUMBER, cut, text_bytes
from weaklabel_server.messages.checks import MAX_SOURCES, check_names, side_data_id
from weaklabel_server.messages.rows import spans

if TYPE_CHECKING:  # SciPy takes a moment to load
    from weaklabel.analysis import (
        ContestedItems,
        LeaveOneOut,
        Mistakes,
        Reliability,
        ScoreTable,
        SourceConfusions,
        SourcePairs,
    )

MOST_COLUMNS = 1_000
"""By which items are sliced."""

_COEFFICIENTS: dict[int, str] = {
    inspection_pb2.RELIABILITY_COEFFICIENT_UNSPECIFIED: "nominal",
    inspection_pb2.RELIABILITY_COEFFICIENT_ALPHA_ORDINAL: "ordinal",
    inspection_pb2.RELIABILITY_COEFFICIENT_ALPHA_INTERVAL: "interval",
    inspection_pb2.RELIABILITY_COEFFICIENT_FLEISS_KAPPA: "fleiss",
}


class SlicedBy(NamedTuple):
    """What items are sliced by."""

    side_data_id: str
    fields: tuple[str, ...]
    numbers: frozenset[str]


def read_by(
    request: inspection_pb2.ReadMistakesRequest | inspection_pb2.ReadScoresRequest, project_id: str
) -> SlicedBy | None:
    """What a request slices items by; None for nothing.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not request.HasField("by"):
        return None
    by = request.by
    for part in ("fields", "numbers"):
        check_names(getattr(by, part), field=f"by.{part}", what="fields", limit=MOST_COLUMNS)
    for at, name in enumerate(by.numbers):
        if by.fields and name not in by.fields:
            raise invalid(f"by.numbers[{at}]", f'"{name}" is not among the fields')
    side_data = side_data_id(by.side_data, project_id, field="by.side_data")
    return SlicedBy(side_data, tuple(by.fields), frozenset(by.numbers))


def read_sources(given: Sequence[str], *, field: str) -> tuple[str, ...]:
    """Names of sources.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    check_names(given, field=field, what="sources", limit=MAX_SOURCES)
    return tuple(given)


def read_coefficient(number: int, *, field: str) -> str:
    """The metric of weaklabel.analysis.krippendorff_alpha, or "fleiss" for Fleiss' kappa.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if number not in _COEFFICIENTS:
        raise invalid(field, f"a coefficient of agreement, got {number}")
    return _COEFFICIENTS[number]


def reliability_message(version: int, found: "Reliability") -> inspection_pb2.GetReliabilityResponse:
    """Agreement beyond chance as a message."""
    return inspection_pb2.GetReliabilityResponse(
        votes_version=version,
        value=found.value,
        low=found.low,
        high=found.high,
        confidence=found.confidence,
        item_count=found.n_items,
        vote_count=found.n_votes,
        coefficient=found.coefficient,
    )


def pair_messages(
    model: str, sources: Sequence[str], found: "SourcePairs", max_bytes: int
) -> Iterator[inspection_pb2.ReadSourcePairsResponse]:
    """Pairs of sources as messages: the names first."""
    for start, stop in cut(map(text_bytes, sources), max_bytes):
        yield inspection_pb2.ReadSourcePairsResponse(model="" if start else model, sources=sources[start:stop])
    place = {name: at for at, name in enumerate(sources)}
    pairs = np.column_stack([[place[one] for one in found.first], [place[one] for one in found.second], found.items])
    values = np.column_stack([found.agreement, found.kappa, found.error_correlation])
    for start, stop in spans(len(pairs), 25, (), max_bytes):
        yield inspection_pb2.ReadSourcePairsResponse(
            pairs=to_tensor(pairs[start:stop].astype(np.int32), np.int32),
            values=to_tensor(values[start:stop], np.float32),
            copies=None if found.copies is None else to_tensor(found.copies[start:stop, None].astype(np.int8)),
        )


def confusion_messages(
    model: str, found: "SourceConfusions", max_bytes: int
) -> Iterator[inspection_pb2.ReadSourceConfusionsResponse]:
    """Confusion matrices with intervals as messages of their rows."""
    n_classes = found.rates.shape[-1]
    parts = {name: getattr(found, name).reshape(-1, n_classes) for name in ("counts", "rates", "low", "high")}
    names = found.sources
    sizes = (
        16 * n_classes + (0 if row % n_classes else text_bytes(names[row // n_classes]))
        for row in range(len(names) * n_classes)
    )
    for start, stop in cut(sizes, max_bytes):
        yield inspection_pb2.ReadSourceConfusionsResponse(
            model="" if start else model,
            row_offset=start,
            sources=names[-(-start // n_classes) : -(-stop // n_classes)],
            **{name: to_tensor(rows[start:stop], np.float32) for name, rows in parts.items()},
        )


def contested_messages(
    version: int, sources: Sequence[str], found: "ContestedItems", item_ids: Sequence[str], max_bytes: int
) -> Iterator[inspection_pb2.ReadContestedItemsResponse]:
    """Contested items as messages: the names of the sources first."""
    for start, stop in cut(map(text_bytes, sources), max_bytes):
        yield inspection_pb2.ReadContestedItemsResponse(
            votes_version=0 if start else version, sources=sources[start:stop]
        )
    source_at = {name: at for at, name in enumerate(sources)}
    class_at = {name: at for at, name in enumerate(found.classes)}
    items = []
    for at, said in enumerate(found.votes):
        items.append(
            inspection_pb2.ContestedItem(
                position=int(found.items[at]),
                item_id=item_ids[at] if item_ids else "",
                first=int(found.first[at]),
                second=int(found.second[at]),
                support_first=found.support[at, 0],
                support_second=found.support[at, 1],
                probability=None if found.probability is None else found.probability[at],
                voters=[source_at[name] for name in said],
                labels=[class_at[name] for name in said.values()],
            )
        )
    for start, stop in cut((one.ByteSize() + NUMBER for one in items), max_bytes):
        yield inspection_pb2.ReadContestedItemsResponse(items=items[start:stop])


def mistake_messages(model: str, found: "Mistakes", max_bytes: int) -> Iterator[inspection_pb2.ReadMistakesResponse]:
    """Where a source is wrong as messages."""
    numbers = zip(found.n_votes, found.wrong, found.rate, found.low, found.high, strict=True)
    lines = [
        inspection_pb2.MistakesLine(
            column=column, value=value, vote_count=n_votes, wrong=wrong, rate=rate, low=low, high=high
        )
        for column, value, (n_votes, wrong, rate, low, high) in zip(found.columns, found.values, numbers, strict=True)
    ]
    for start, stop in cut((one.ByteSize() + NUMBER for one in lines), max_bytes):
        yield inspection_pb2.ReadMistakesResponse(model="" if start else model, lines=lines[start:stop])


def leave_one_out_messages(
    model: str, found: "LeaveOneOut", max_bytes: int
) -> Iterator[inspection_pb2.ReadLeaveOneOutResponse]:
    """What changes without each source as messages."""
    lines = [
        inspection_pb2.LeaveOneOutLine(
            source=source,
            flipped=int(found.flipped[at]),
            opened=int(found.opened[at]),
            moved=found.moved[at],
            accuracy=None if found.accuracy is None else found.accuracy[at],
        )
        for at, source in enumerate(found.sources)
    ]
    for start, stop in cut((one.ByteSize() + NUMBER for one in lines), max_bytes):
        yield inspection_pb2.ReadLeaveOneOutResponse(
            model="" if start else model,
            item_count=0 if start else found.n_items,
            accuracy_with_all=None if start else found.accuracy_with_all,
            lines=lines[start:stop],
        )


def score_messages(
    model: str, found: "ScoreTable", metrics: Sequence[str], max_bytes: int
) -> Iterator[inspection_pb2.ReadScoresResponse]:
    """Scores of slices as messages."""
    lines = [
        inspection_pb2.ScoreLine(
            column=column,
            value=value,
            item_count=int(found.n_items[at]),
            scores=[found.scores[name][at] for name in metrics],
        )
        for at, (column, value) in enumerate(zip(found.columns, found.values, strict=True))
    ]
    for start, stop in cut((one.ByteSize() + NUMBER for one in lines), max_bytes):
        yield inspection_pb2.ReadScoresResponse(model="" if start else model, lines=lines[start:stop])

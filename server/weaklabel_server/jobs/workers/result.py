"""A fitted model or a report on its way from a worker to the server: the small part as JSON, the large one in a file.

The file has no name and only the two processes hold it: nobody else reads it, and it goes when they do.
"""

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from weaklabel_server.jobs.workers.reports import Report
from weaklabel_server.store.label_tables import LabelTable, PackedTable
from weaklabel_server.store.models import FittedModel, ModelSummary

_WRITE_BYTES = 1 << 30
_FLOAT, _INT, _BYTE = np.dtype("<f4"), np.dtype("<i4"), np.dtype("u1")


def private_file(folder: Path) -> IO[bytes]:
    """A file without a name."""
    return tempfile.TemporaryFile(dir=folder)  # who gets it closes it


def write(fitted: FittedModel, descriptor: int) -> dict[str, Any]:
    """Writes a model to a file that is empty; returns what `read` needs beside it, for JSON.

    Raises:
        OSError: The disk is full.
    """
    for array, kind in ((fitted.probabilities, _FLOAT), (fitted.labels, _INT)):
        if array.size:
            _write(descriptor, np.ascontiguousarray(array, kind).data.cast("B"))
    _write(descriptor, memoryview(fitted.content))
    for table in fitted.tables:
        for chunk in table.chunks:
            _write(descriptor, memoryview(chunk))
    return {
        "model_id": fitted.model_id,
        "votes_version": fitted.votes_version,
        "summary": asdict(fitted.summary),
        "content_bytes": len(fitted.content),
        "shape": fitted.probabilities.shape,
        "n_items": fitted.n_items,
        "tables": [
            {"of": asdict(table.of), "rows": list(table.chunk_rows), "bytes": [len(chunk) for chunk in table.chunks]}
            for table in fitted.tables
        ],
    }


def read(described: dict[str, Any], file: IO[bytes]) -> FittedModel:
    """What was written. Its arrays are maps of the file, which may be closed: they take memory as they are read.

    Raises:
        ValueError: It is not all there.
    """
    rows, columns = described["shape"]
    labels_at = rows * columns * _FLOAT.itemsize
    content_at = labels_at + rows * _INT.itemsize
    content = os.pread(file.fileno(), described["content_bytes"], content_at)
    if len(content) != described["content_bytes"]:
        raise ValueError("the model is cut off")
    tables, at = [], content_at + len(content)
    for one in described["tables"]:
        ends = at + np.cumsum(one["bytes"], dtype=np.int64)
        starts = zip(ends.tolist(), one["bytes"], strict=True)
        chunks = [memoryview(_mapped(file, _BYTE, end - size, (size,))) for end, size in starts]
        tables.append(PackedTable(LabelTable(**one["of"]), one["rows"], chunks))
        at = int(ends[-1]) if len(ends) else at
    return FittedModel(
        model_id=described["model_id"],
        votes_version=described["votes_version"],
        summary=ModelSummary.from_json(described["summary"]),
        content=content,
        probabilities=_mapped(file, _FLOAT, 0, (rows, columns)),
        labels=_mapped(file, _INT, labels_at, (rows,)),
        tables=tuple(tables),
        n_items=described["n_items"],
    )


def _mapped(file: IO[bytes], kind: np.dtype[Any], at: int, shape: tuple[int, ...]) -> Any:
    """A map of a part of a file; of nothing there is none."""
    return np.memmap(file, kind, "r", at, shape) if shape[0] else np.empty(shape, kind)


def write_report(report: Report, descriptor: int) -> dict[str, Any]:
    """Writes the arrays of a report to a file that is empty; returns what `read_report` needs beside it, for JSON.

    Raises:
        OSError: The disk is full.
    """
    described, arrays = report
    with os.fdopen(os.dup(descriptor), "wb") as file:
        np.savez(file, **cast("dict[str, Any]", arrays))
    return described


def read_report(described: dict[str, Any], file: IO[bytes]) -> Report:
    """What was written."""
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return described, dict(arrays)


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data[:_WRITE_BYTES]) :]

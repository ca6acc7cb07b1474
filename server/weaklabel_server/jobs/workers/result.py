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
from weaklabel_server.store.models import FittedModel, ModelSummary

_WRITE_BYTES = 1 << 30
_FLOAT, _INT = np.dtype("<f4"), np.dtype("<i4")


def private_file(folder: Path) -> IO[bytes]:
    """A file without a name."""
    return tempfile.TemporaryFile(dir=folder)  # who gets it closes it


def write(fitted: FittedModel, descriptor: int) -> dict[str, Any]:
    """Writes a model to a file that is empty; returns what `read` needs beside it, for JSON.

    Raises:
        OSError: The disk is full.
    """
    for array, kind in ((fitted.probabilities, _FLOAT), (fitted.labels, _INT)):
        _write(descriptor, np.ascontiguousarray(array, kind).data.cast("B"))
    _write(descriptor, memoryview(fitted.content))
    return {
        "model_id": fitted.model_id,
        "votes_version": fitted.votes_version,
        "summary": asdict(fitted.summary),
        "content_bytes": len(fitted.content),
        "shape": fitted.probabilities.shape,
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
    return FittedModel(
        model_id=described["model_id"],
        votes_version=described["votes_version"],
        summary=ModelSummary.from_json(described["summary"]),
        content=content,
        probabilities=np.memmap(file, _FLOAT, "r", 0, (rows, columns)),
        labels=np.memmap(file, _INT, "r", labels_at, (rows,)),
    )


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

"""Tables written as CSV, TSV, JSON lines or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from weaklabel._archive import write_file
from weaklabel.errors import InvalidArgumentError
from weaklabel.formats.tables import STDIN, format_of

Columns = Mapping[str, Sequence[Any]]
"""Cells by the name of the column, all of one length; None where there is nothing."""


def write_table(path: str | os.PathLike[str], columns: Columns, format: str | None = None) -> None:  # noqa: A002
    """Writes a table to a file, or to stdout where the path is "-".

    Args:
        path: of the file.
        columns: what to write.
        format: "csv", "tsv", "jsonl" or "parquet"; by the file's name where not given, and CSV for stdout.

    Raises:
        InvalidArgumentError: for another format.
        MissingExtraError: for Parquet without pyarrow.
        OSError: if it cannot be written.
    """
    kind = format_to_write(path, format)
    data = _parquet(columns) if kind == "parquet" else _text(columns, kind).encode()
    if os.fspath(path).lower().endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    if os.fspath(path) == STDIN:
        sys.stdout.buffer.write(data)
    else:
        write_file(path, data)


def format_to_write(path: str | os.PathLike[str], format: str | None = None) -> str:  # noqa: A002
    """The format of a table: the one that is told, or that of the file's name.

    Raises:
        InvalidArgumentError: if tables are not written in it.
    """
    kind = format or format_of(path) or ("csv" if os.fspath(path) == STDIN else None)
    if kind not in ("csv", "tsv", "jsonl", "parquet"):
        raise InvalidArgumentError(
            f"{path} would be {kind or 'of no format that is known'}: write a file *.csv, *.tsv, *.jsonl or *.parquet",
            field="path",
        )
    return kind


def _text(columns: Columns, kind: str) -> str:
    rows = zip(*columns.values(), strict=True)
    if kind == "jsonl":
        return "".join(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter="\t" if kind == "tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def _parquet(columns: Columns) -> bytes:
    from weaklabel._extras import require

    pa = require("pyarrow", extra="parquet", needed_for="Parquet files")
    pq = require("pyarrow.parquet", extra="parquet", needed_for="Parquet files")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data

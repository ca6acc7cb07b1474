"""doccano: text classification in JSON lines, a file an annotator, as votes; soft labels as lines to import.

Typical use::

    read = read_doccano({"ann": "ann.jsonl", "bob": "bob.jsonl"})  # or the folder of the unpacked export
    soft = LabelModel(classes=read.classes).fit(read.votes).predict_proba(read.votes)
    write_entries("import.jsonl", doccano_lines(read.data, soft, read.classes, n=100))
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from weaklabel.adapters.annotation.records import (
    Annotation,
    Exported,
    as_mapping,
    entries_of,
    exported,
    fields_of,
    ids_of,
    one_label,
    read_entries,
)
from weaklabel.errors import InvalidVotesError

__all__ = ["doccano_lines", "read_doccano"]


def read_doccano(
    source: str | os.PathLike[str] | Mapping[str, Any], *, classes: Sequence[str] | None = None
) -> Exported:
    """Votes out of exports of text classification: each file is a source; lines are matched by `id`.

    A line without a label abstains. doccano exports a file for each user unless annotations are shared in the project.

    Args:
        source: files by the name of the annotator; or a folder of *.jsonl, whose names are those of the annotators.
        classes: K names; all labels that were given, sorted, where not given.

    Raises:
        InvalidVotesError: for what are no such files, lines with several labels, and one id with two texts; with file
            and line.
    """
    found: list[Annotation] = []
    position: dict[str, int] = {}
    data: list[dict[str, Any]] = []
    files = _files(source)
    for who, file in files.items():
        name, lines = read_entries(file, who)
        seen = set[str]()
        for number, raw in enumerate(lines, 1):
            place = f"{name}, line {number}"
            line = as_mapping(raw, place)
            labels = line.get("label", line.get("labels"))
            text = line.get("text", line.get("data"))
            if labels is None or text is None or line.get("id") is None:
                raise InvalidVotesError(f"{place} has no id, text or label: export as JSONL", field="source")
            key = str(line["id"])
            if key in seen:
                raise InvalidVotesError(f"{place}: the id {key!r} stands twice", field="source")
            seen.add(key)
            item = position.setdefault(key, len(position))
            if item == len(data):
                data.append({"text": text})
            elif data[item]["text"] != text:
                raise InvalidVotesError(f"{place}: the id {key!r} has another text in an earlier file", field="source")
            if any(isinstance(one, (list, Mapping)) for one in labels if isinstance(labels, list)):
                raise InvalidVotesError(f"{place} labels spans, not the text", field="source")
            if labels != []:
                found.append(Annotation(item, who, one_label(labels, place), place))
    return exported(", ".join(files), found, [], list(position), data, classes)


def _files(source: Any) -> dict[str, Any]:
    if isinstance(source, Mapping):
        return dict(source)
    folder = Path(source)
    if not folder.is_dir():
        raise InvalidVotesError(
            f"{folder} is no folder: give files by annotator, as {{'ann': {os.fspath(source)!r}}}", field="source"
        )
    files: dict[str, Any] = {file.stem: file for file in sorted(folder.glob("*.jsonl"))}
    if not files:
        raise InvalidVotesError(f"{folder} holds no file *.jsonl", field="source")
    return files


def doccano_lines(
    data: Sequence[Any],
    soft_labels: ArrayLike,
    classes: Sequence[str],
    *,
    ids: Iterable[Any] | None = None,
    n: int | None = None,
) -> list[dict[str, Any]]:
    """Lines for doccano's import of JSONL: pre-annotations, or a review queue.

    Args:
        data: N items, as `Exported.data`, or texts.
        soft_labels: [N, K] probabilities; those of the predicted class and of all stand beside it as metadata.
        classes: K names, as the label types of the project.
        ids: [N] kept as "item" in the metadata: doccano numbers its examples itself.
        n: the n items that are least sure, the least sure first; all in their order where not given.

    Raises:
        InvalidArgumentError: for soft labels and ids that do not fit.
    """
    fields, keys = fields_of(data, "text"), ids_of(ids, len(data))
    lines = []
    for item, label, score, probabilities in entries_of(soft_labels, classes, len(fields), n):
        line = {**fields[item], "label": [label], "score": score, "probabilities": probabilities}
        lines.append(line if keys[item] is None else {**line, "item": keys[item]})
    return lines

"""Label Studio: annotations of its JSON export as votes, soft labels as predictions of tasks to import.

Typical use::

    read = read_label_studio("export.json")
    soft = LabelModel(classes=read.classes).fit(read.votes, gold=read.gold).predict_proba(read.votes)
    write_entries("tasks.json", label_studio_tasks(read.data, soft, read.classes, control="sentiment", n=100))
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    the_one,
)
from weaklabel.errors import InvalidVotesError

__all__ = ["label_studio_tasks", "read_label_studio"]

_KINDS = ("choices", "rating")


def read_label_studio(
    source: str | os.PathLike[str] | Sequence[Mapping[str, Any]],
    *,
    control: str | None = None,
    classes: Sequence[str] | None = None,
    predictions: bool = False,
) -> Exported:
    """Votes out of an export in the format JSON (not JSON-MIN): each annotator is a source.

    Annotations that were cancelled (skipped tasks) are left out; those marked as ground truth are gold, and no votes.

    Args:
        source: path of the export, or its tasks.
        control: the `name` of the Choices or Rating that labels are of; the only one where not given.
        classes: K names; all labels that were given, sorted, where not given: name them if some were never given.
        predictions: take predictions in the export as votes of sources "model:VERSION".

    Raises:
        InvalidVotesError: for what is no such export, annotations without an annotator or with several choices, and two
            different ones of one annotator on one task; with task and annotation.
    """
    name, tasks = read_entries(source, "source")
    found: list[tuple[int, str, str, Mapping[str, Any], bool]] = []
    ids, data = [], []
    for at, entry in enumerate(tasks):
        place = f"{name}, task {at + 1}"
        task = as_mapping(entry, place)
        if not isinstance(task.get("data"), Mapping) or not isinstance(task.get("annotations", []), list):
            raise InvalidVotesError(
                f"{place} has no data, or no list of annotations: export as JSON, not as JSON-MIN or CSV",
                field="source",
            )
        ids.append(str(task.get("id", at)))
        data.append(dict(task["data"]))
        for number, raw in enumerate(task.get("annotations", []), 1):
            where = f"{place} (id {ids[-1]}), annotation {number}"
            annotation = as_mapping(raw, where)
            if not annotation.get("was_cancelled"):
                right = bool(annotation.get("ground_truth"))
                who = "" if right else _annotator(annotation, where)
                found += [(at, who, where, result, right) for result in _results(annotation, where)]
        for number, raw in enumerate(task.get("predictions", []) if predictions else [], 1):
            where = f"{place} (id {ids[-1]}), prediction {number}"
            version = as_mapping(raw, where).get("model_version") or "unnamed"
            found += [(at, f"model:{version}", where, result, False) for result in _results(raw, where)]
    chosen = the_one((str(one[3].get("from_name")) for one in found), control, "control", "control", name)
    votes: list[Annotation] = []
    known: list[Annotation] = []
    for item, who, where, result, right in found:
        if str(result.get("from_name")) == chosen:
            value = result["value"].get(result["type"])
            (known if right else votes).append(Annotation(item, who, one_label(value, where), where))
    return exported(name, votes, known, ids, data, classes)


def _annotator(annotation: Mapping[str, Any], place: str) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        who = who.get("email") or who.get("id")
    if who is None or who == "":
        raise InvalidVotesError(f"{place} does not say who made it (completed_by)", field="source")
    return str(who)


def _results(annotation: Mapping[str, Any], place: str) -> Iterator[Mapping[str, Any]]:
    """Labels of whole tasks; regions and texts are passed over."""
    for raw in annotation.get("result") or []:
        result = as_mapping(raw, place)
        if result.get("type") in _KINDS:
            if not isinstance(result.get("value"), Mapping):
                raise InvalidVotesError(f"{place} has a result without a value", field="source")
            yield result


def label_studio_tasks(
    data: Sequence[Any],
    soft_labels: ArrayLike,
    classes: Sequence[str],
    *,
    control: str,
    to_name: str = "text",
    ids: Iterable[Any] | None = None,
    n: int | None = None,
    model_version: str = "weaklabel",
) -> list[dict[str, Any]]:
    """Tasks with predictions, for Label Studio's import: pre-annotations, or a review queue.

    `score` is the probability of the predicted class; all probabilities stand in `meta`.

    Args:
        data: N items, as `Exported.data`: fields, or texts, which stand as {to_name: text}.
        soft_labels: [N, K] probabilities.
        classes: K names, as the choices of the labeling interface.
        control: the `name` of its Choices.
        to_name: the `name` of the object that is labeled.
        ids: [N] kept in `meta`; Label Studio numbers its tasks itself.
        n: the n items that are least sure, the least sure first; all in their order where not given.
        model_version: name of the predictions.

    Raises:
        InvalidArgumentError: for soft labels and ids that do not fit.
    """
    fields, keys = fields_of(data, to_name), ids_of(ids, len(data))
    tasks = []
    for item, label, score, probabilities in entries_of(soft_labels, classes, len(fields), n):
        result = {"from_name": control, "to_name": to_name, "type": "choices", "value": {"choices": [label]}}
        meta: dict[str, Any] = {"probabilities": probabilities}
        if keys[item] is not None:
            meta["id"] = keys[item]
        prediction = {"model_version": model_version, "score": score, "result": [result]}
        tasks.append({"data": fields[item], "meta": meta, "predictions": [prediction]})
    return tasks

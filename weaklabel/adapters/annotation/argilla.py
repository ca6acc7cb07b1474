"""Argilla 2: responses of exported records as votes, soft labels as suggestions of records to log.

Typical use::

    read = read_argilla(dataset.records.to_list())  # or the path of records.to_json("records.json")
    soft = LabelModel(classes=read.classes).fit(read.votes).predict_proba(read.votes)
    dataset.records.log([rg.Record.from_dict(one) for one in argilla_records(read.data, soft, read.classes)])
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

__all__ = ["argilla_records", "read_argilla"]


def read_argilla(
    source: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
    *,
    question: str | None = None,
    classes: Sequence[str] | None = None,
    suggestions: bool = False,
) -> Exported:
    """Votes out of exported records: each user is a source.

    Args:
        source: path of `records.to_json`; or records, as of `records.to_list()`, flattened or not, of `to_datasets()`,
            or of Argilla itself.
        question: the question that labels are of, a label or a rating; the only one with answers where not given.
        classes: K names; all labels that were given, sorted, where not given.
        suggestions: take suggestions as votes of their agent, too.

    Drafts and discarded responses are left out where the export tells them: records of Argilla itself and flattened
    ones do, `to_list()` and `to_json` do not.

    Raises:
        InvalidVotesError: for what are no such records, responses with several labels, and two different ones of one
            user; with the record.
    """
    name, records = read_entries(source, "source")
    found: list[tuple[int, str, str, str, Any]] = []
    ids, data = [], []
    for at, raw in enumerate(records):
        place = f"{name}, record {at + 1}"
        record = as_mapping(_plain(raw) if hasattr(raw, "to_dict") else raw, place)
        ids.append(str(record.get("id") or at))
        place = f"{place} (id {ids[-1]})"
        if not any(key == "responses" or key.endswith(".responses") for key in record):
            raise InvalidVotesError(f"{place} has no responses: export records of Argilla 2", field="source")
        nested = isinstance(record.get("fields"), Mapping)
        data.append(dict(record["fields"]) if nested else {k: v for k, v in record.items() if _is_field(k)})
        answers = _nested(record, place) if nested else _flat(record, place)
        found += [(at, place, *answer) for answer in answers if suggestions or not answer[1].startswith("agent:")]
    chosen = the_one((one[2] for one in found), question, "question", "question", name)
    votes = [
        Annotation(item, who.removeprefix("user:"), one_label(value, f"{place}, {who}"), f"{place}, {who}")
        for item, place, asked, who, value in found
        if asked == chosen
    ]
    return exported(name, votes, [], ids, data, classes)


def _plain(record: Any) -> dict[str, Any]:
    """A record of Argilla itself as `to_list()` has it, with the status of the responses, which is lost there."""
    found: dict[str, Any] = {**record.to_dict(), "responses": {}}
    for answer in record.responses:
        status = getattr(answer.status, "value", answer.status) or "submitted"
        told = {"value": answer.value, "user_id": answer.user_id, "status": status}
        found["responses"].setdefault(answer.question_name, []).append(told)
    return found


def _is_field(key: str) -> bool:
    return "." not in key and not key.startswith("_") and key not in ("id", "status")


def _nested(record: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, Any]]:
    """(question, who, value) of a record as `to_list()` has it."""
    for asked, answers in (record.get("responses") or {}).items():
        for answer in answers:
            who = as_mapping(answer, place).get("user_id")
            if who is None:
                raise InvalidVotesError(f"{place}: a response to {asked!r} does not say who gave it", field="source")
            if answer.get("status", "submitted") == "submitted":
                yield asked, f"user:{who}", answer.get("value")
    for asked, answer in (record.get("suggestions") or {}).items():
        if as_mapping(answer, place).get("value") is not None:
            yield asked, f"agent:{answer.get('agent') or 'unnamed'}", answer["value"]


def _flat(record: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, Any]]:
    """(question, who, value) of a record as `to_list(flatten=True)` and `to_datasets()` have it."""
    for key, values in record.items():
        asked = key.removesuffix(".responses")
        if asked != key and values:
            users = record.get(f"{key}.users") or []
            states = record.get(f"{key}.status") or ["submitted"] * len(values)
            if not len(users) == len(values) == len(states):
                raise InvalidVotesError(
                    f"{place}: {len(values)} responses to {asked!r}, of {len(users)} users", field="source"
                )
            for who, value, state in zip(users, values, states, strict=True):
                if state in (None, "submitted"):
                    yield asked, f"user:{who}", value
        asked = key.removesuffix(".suggestion")
        if asked != key and values is not None:
            yield asked, f"agent:{record.get(f'{key}.agent') or 'unnamed'}", values


def argilla_records(
    data: Sequence[Any],
    soft_labels: ArrayLike,
    classes: Sequence[str],
    *,
    question: str = "label",
    field: str = "text",
    ids: Iterable[Any] | None = None,
    n: int | None = None,
    agent: str = "weaklabel",
) -> list[dict[str, Any]]:
    """Records with suggestions, for `rg.Record.from_dict`: pre-annotations, or a review queue.

    Args:
        data: N items, as `Exported.data`: fields, or texts, which stand as {field: text}.
        soft_labels: [N, K] probabilities.
        classes: K names, as the labels of the question.
        question: its name.
        field: name of the field of texts.
        ids: [N] ids of the records, those of the export to update them.
        n: the n items that are least sure, the least sure first; all in their order where not given.
        agent: name of the suggestions.

    Raises:
        InvalidArgumentError: for soft labels and ids that do not fit.
    """
    fields, keys = fields_of(data, field), ids_of(ids, len(data))
    return [
        {
            "id": None if keys[item] is None else str(keys[item]),
            "fields": fields[item],
            "suggestions": {question: {"value": label, "score": score, "agent": agent}},
            "responses": {},
            "metadata": {},
            "vectors": {},
        }
        for item, label, score, _ in entries_of(soft_labels, classes, len(fields), n)
    ]

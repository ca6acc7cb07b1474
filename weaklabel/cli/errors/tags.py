"""Several labels an item, looked at beside the probabilities of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaklabel.cli import options
from weaklabel.cli.errors.findings import Findings, name_of
from weaklabel.cli.errors.labels import refuse_votes
from weaklabel.cli.session import Steps


def of_tags(
    reading: options.Reading, tags: list[str], probabilities: list[str] | None, labels: str | None, steps: Steps
) -> Findings:
    """The items with a tag that is likelier wrong than right."""
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.formats.probabilities import read_tags
    from weaklabel.formats.vote_tables import Layout
    from weaklabel.label_errors import find_multilabel_issues

    if labels is not None:
        raise InvalidArgumentError("give --labels, one label an item, or --tags, several, not both", field="tags")
    if probabilities is None:
        raise InvalidArgumentError(
            "--tags needs --probabilities; tags beside votes are looked at in Python, by "
            "weaklabel.label_errors.multilabel_errors",
            field="tags",
        )
    if reading.gold is not None or reading.classes is not None:
        raise InvalidArgumentError("--gold and --classes are of one label an item: give none with --tags", field="tags")
    refuse_votes(reading)
    read = read_tags(
        reading.votes,
        tags,
        probabilities,
        Layout(id=reading.id_column),
        format=reading.format_name,
        delimiter=options.one_character(reading.delimiter),
        progress=steps,
    )
    quality = find_multilabel_issues(read.tags, read.probabilities)
    wrong = np.where(read.tags == 1, 1 - read.probabilities, read.probabilities)
    items = np.flatnonzero((wrong > 0.5).any(1))
    found = []
    for item in items[np.argsort(quality[items], kind="stable")].tolist():
        doubtful = [int(at) for at in np.argsort(-wrong[item], kind="stable") if wrong[item, at] > 0.5]
        told = [
            {"tag": read.names[at], "given": bool(read.tags[item, at]), "probability": float(wrong[item, at])}
            for at in doubtful
        ]
        item_id = None if read.ids is None else read.ids[item]
        found.append({"id": item_id, "item": item, "quality": float(quality[item]), "tags": told})
    return _findings(found, len(quality), with_ids=read.ids is not None)


def _findings(found: list[dict[str, Any]], n_items: int, *, with_ids: bool) -> Findings:
    words = [", ".join(map(_of_tag, one["tags"])) for one in found]
    table = {"id" if with_ids else "item": [one["id" if with_ids else "item"] for one in found]}
    table |= {"quality": [one["quality"] for one in found], "tags": words}
    rows = [
        [name_of(one["item"], one["id"]), f"{one['quality']:.3f}", text] for one, text in zip(found, words, strict=True)
    ]
    return Findings(
        n_suspects=len(found),
        head=f"{len(found):,} of {n_items:,} items have a tag that is likelier wrong than right",
        titles=["Item", "Quality", "Tags likelier wrong"],
        rows=rows,
        table=table,
        as_json={"items": n_items, "suspects": found},
    )


def _of_tag(tag: dict[str, Any]) -> str:
    return f"{tag['tag']} is {'set' if tag['given'] else 'not set'} ({100 * tag['probability']:.1f} %)"

"""One label an item, looked at beside votes or the probabilities of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weaklabel.cli import options
from weaklabel.cli.errors.findings import Findings, name_of
from weaklabel.cli.session import Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from weaklabel.label_errors import FoundErrors, LabelIssues, Suspect


def of_labels(
    reading: options.Reading, labels: str | None, probabilities: list[str] | None, seed: int, steps: Steps
) -> Findings:
    """The suspects among the labels of a column."""
    from weaklabel.errors import InvalidArgumentError

    if labels is None:
        raise InvalidArgumentError("name the column of labels to look at by --labels, or columns of tags by --tags")
    if reading.gold == labels:
        raise InvalidArgumentError(f"column {labels!r} is named for two things, --labels and --gold", field="gold")
    if probabilities is None:
        issues, gold = _by_votes(reading, labels, seed, steps)
    else:
        issues, gold = _by_classifier(reading, labels, probabilities, steps)
    return _findings(issues, None if gold is None else issues.against(gold))


def _by_votes(
    reading: options.Reading, labels: str, seed: int, steps: Steps
) -> tuple[LabelIssues, NDArray[np.int32] | None]:
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.label_errors import label_errors

    table = reading.table(steps, labels=labels)
    if table.labels is None or not (table.labels >= 0).any():
        raise InvalidArgumentError(f"column {labels!r} holds no label", field="labels")
    steps("errors: fitting with the labels and without")
    return label_errors(table.votes, table.labels, classes=table.classes, seed=seed), table.gold


def _by_classifier(
    reading: options.Reading, labels: str, columns: list[str], steps: Steps
) -> tuple[LabelIssues, NDArray[np.int32] | None]:
    from weaklabel.formats.probabilities import read_probabilities
    from weaklabel.formats.vote_tables import Layout
    from weaklabel.label_errors import find_label_issues

    refuse_votes(reading)
    layout = Layout(
        classes=options.listed(reading.classes),
        abstain=reading.abstain or None,
        id=reading.id_column,
        gold=reading.gold,
        labels=labels,
    )
    read = read_probabilities(
        reading.votes,
        columns,
        layout,
        format=reading.format_name,
        delimiter=options.one_character(reading.delimiter),
        progress=steps,
    )
    issues = find_label_issues(read.labels, read.probabilities, classes=read.classes)
    return replace(issues, item_ids=read.ids), read.gold


def refuse_votes(reading: options.Reading) -> None:
    """Refuses options of votes where probabilities stand in their place."""
    from weaklabel.errors import InvalidArgumentError

    if reading.sources is not None or reading.long is not None:
        raise InvalidArgumentError("--probabilities stand in the place of votes: give no --sources or --long")


def _findings(issues: LabelIssues, by_gold: FoundErrors | None) -> Findings:
    suspects, n_labels = list(issues), int(np.isfinite(issues.probability).sum())
    head = f"{len(suspects):,} of {n_labels:,} labels are likelier wrong than right"
    head += f"; {issues.n_expected:,.0f} wrong ones are expected"
    as_json: dict[str, Any] = {"labels": n_labels, "expected": issues.n_expected}
    if by_gold is not None:
        head += "\n" + _in_words(by_gold)
        as_json["gold"] = by_gold._asdict()
    titles, rows = _rows(suspects)
    names = {"item": "item"} if issues.item_ids is None else {"id": "item_id"}
    names |= {name: name for name in ("given", "suggested", "probability", "reason")}
    as_json["suspects"] = [{"id": (named := one._asdict()).pop("item_id"), **named} for one in suspects]
    table = {name: [getattr(one, key) for one in suspects] for name, key in names.items()}
    return Findings(n_suspects=len(suspects), head=head, titles=titles, rows=rows, table=table, as_json=as_json)


def _rows(suspects: Sequence[Suspect]) -> tuple[list[str], list[list[str]]]:
    titles = ["Item", "Given", "Likelier", "Wrong", "Why"]
    rows = [
        [name_of(one.item, one.item_id), one.given, one.suggested, f"{100 * one.probability:.1f} %", one.reason]
        for one in suspects
    ]
    if not any(row[-1] for row in rows):
        return titles[:-1], [row[:-1] for row in rows]
    return titles, rows


def _in_words(found: FoundErrors) -> str:
    """What gold says of the suspects, in a sentence."""
    share = found.n_wrong / found.n_items
    words = f"by gold of {found.n_items:,} items, {found.n_wrong:,} labels ({100 * share:.1f} %) are wrong"
    if found.n_suspects:
        words += f"; of {found.n_suspects:,} suspects {100 * found.precision:.1f} % are"
        words += f", and {100 * found.recall:.1f} % of the wrong labels are among them" if found.n_wrong else ""
    if found.n_wrong:
        words += f"; average precision of the ranking {found.average_precision:.3f}, by chance {share:.3f}"
    return words

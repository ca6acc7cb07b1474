"""weaklabel analyze: how sources vote, how right they seem to be, how far they agree and depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import typer

from weaklabel.cli import options
from weaklabel.cli.fit import fitted
from weaklabel.cli.session import Steps, aligned, command, show_json

if TYPE_CHECKING:
    from weaklabel.formats.vote_tables import VoteTable
    from weaklabel.model import LabelModel

MOST_SOURCES = 500
"""Sources above which pairs are left out: there are too many."""
SHOWN = 10
"""Pairs that are shown."""


@options.reads_votes(without=("taxonomy",))
def analyze(reading: options.Reading, seed: options.Seed = 0, as_json: options.AsJson = False) -> None:
    """Show how sources vote, their accuracy, agreement and dependence, and what is doubtful.

    A model is fitted to the votes alone; known labels (--gold) are compared with it and with the sources.
    """
    with command("analyze"):
        steps = Steps()
        table = reading.table(steps)
        model = fitted(table, steps, seed=seed, with_gold=False)
        found = analysis(table, model)
        if as_json:
            show_json(found)
        else:
            typer.echo(as_text(found))


def analysis(table: VoteTable, model: LabelModel) -> dict[str, Any]:
    """All that is shown, with the names of sources and classes."""
    from weaklabel.analysis import conflict, coverage
    from weaklabel.report.beside_gold import diagnostics_beside

    votes = table.votes
    diagnostics = model.diagnostics
    if table.gold is not None:
        diagnostics = diagnostics_beside(model, votes, table.gold, model.source_accuracy_interval)
    findings = [{"kind": finding.kind, "message": finding.message} for finding in diagnostics.findings]
    found: dict[str, Any] = {
        "items": votes.n_items,
        "coverage": coverage(votes),
        "conflict": conflict(votes),
        "classes": list(table.classes),
        "class_balance": dict(zip(table.classes, model.class_balance.tolist(), strict=True)),
        "sources": _of_sources(table, model),
    }
    if table.gold is not None:
        found["gold"] = _against_gold(table, model)
    if votes.is_plain and 2 <= votes.n_sources <= MOST_SOURCES:
        found |= _of_pairs(table, model)
    return found | {"findings": findings, "risk": diagnostics.risk}


def _of_sources(table: VoteTable, model: LabelModel) -> list[dict[str, Any]]:
    from weaklabel.analysis import source_summary
    from weaklabel.votes.by_source import votes_by_class

    votes = table.votes
    summary = source_summary(votes, table.gold, model)
    counts = votes_by_class(votes)
    lines = []
    for at, name in enumerate(votes.source_names):
        line = {
            "source": name,
            "votes": dict(zip(table.classes, counts[at].tolist(), strict=True)),
            "coverage": summary.coverage[at],
            "overlaps": summary.overlaps[at],
            "conflicts": summary.conflicts[at],
            "accuracy": model.source_accuracy[at],
            "accuracy_interval": model.source_accuracy_interval[at].tolist(),
        }
        if summary.correct is not None and summary.incorrect is not None and summary.empirical_accuracy is not None:
            line |= {"correct": summary.correct[at], "incorrect": summary.incorrect[at]}
            line["gold_accuracy"] = summary.empirical_accuracy[at]
        lines.append(line)
    return lines


def _against_gold(table: VoteTable, model: LabelModel) -> dict[str, Any]:
    """Scores of the model, which has not seen the gold, and of majority vote."""
    from weaklabel.analysis import evaluate
    from weaklabel.errors import InvalidArgumentError
    from weaklabel.model import MajorityVote

    if table.gold is None or not (table.gold >= 0).any():
        raise InvalidArgumentError("the column of known labels is empty", field="gold")
    scores = evaluate(model.predict_proba(table.votes), table.gold)
    majority = evaluate(MajorityVote(classes=table.classes).predict_proba(table.votes), table.gold)
    return {
        "items": scores.n_items,
        "accuracy": scores.accuracy,
        "nll": scores.nll,
        "ece": scores.ece,
        "majority_vote_accuracy": majority.accuracy,
    }


def _of_pairs(table: VoteTable, model: LabelModel) -> dict[str, Any]:
    from weaklabel.analysis import pairwise_agreement
    from weaklabel.model.report.findings import ENOUGH_GOLD

    votes = table.votes
    agreement, worth = pairwise_agreement(votes), model.effective_votes(votes)
    n_gold = 0 if table.gold is None else int((table.gold >= 0).sum())
    whole = model.effective_votes(votes, table.gold) if n_gold >= ENOUGH_GOLD else worth  # pairs need more items
    pairs = [
        {
            "sources": [votes.source_names[a], votes.source_names[b]],
            "items": agreement.items[a, b],
            "agreement": agreement.raw[a, b],
            "kappa": agreement.kappa[a, b],
            "error_correlation": worth.pairs[a, b],
        }
        for a, b in combinations(range(votes.n_sources), 2)
        if agreement.items[a, b]
    ]
    return {
        "pairs": pairs,
        "dependence": {
            "effective_votes": whole.number,
            "interval": list(whole.interval),
            "without": whole.without,
            "copies": [list(group) for group in model.diagnostics.copies],
            "doubt": model.diagnostics.doubt,
            "in_words": str(whole),
        },
    }


# -------------------------------------------------------------------- in words


def as_text(found: dict[str, Any]) -> str:
    """What `analysis` found, as tables and sentences."""
    balance = ", ".join(f"{name} {_percent(share)}" for name, share in found["class_balance"].items())
    head = (
        f"{found['items']:,} items, {len(found['sources'])} sources; {_percent(found['coverage'])} of the items have "
        f"votes, {_percent(found['conflict'])} have votes that conflict\nestimated class balance: {balance}"
    )
    parts = [head, _source_lines(found["sources"])]
    if gold := found.get("gold"):
        parts.append(
            f"on {gold['items']:,} items with gold, which the model has not seen: accuracy {_percent(gold['accuracy'])}"
            f" (majority vote {_percent(gold['majority_vote_accuracy'])}), negative log-likelihood {gold['nll']:.3f}, "
            f"calibration error {gold['ece']:.3f}"
        )
    if "pairs" in found:
        parts += [_pair_lines(found["pairs"]), "Dependence\n" + found["dependence"]["in_words"]]
    from weaklabel.model.report.on_gold import WITHOUT_GOLD

    lines = [f"- {finding['message']}" for finding in found["findings"]] or ["- nothing doubtful was found"]
    lines.append(f"- estimated risk of hard labels worse than majority vote's: {_percent(found['risk'])}")
    if "gold" not in found:
        lines.append(f"- {WITHOUT_GOLD}")
    return "\n\n".join([*parts, "Diagnostics\n" + "\n".join(lines)])


def _source_lines(sources: Sequence[dict[str, Any]]) -> str:
    titles = ["Source", "Coverage", "Overlaps", "Conflicts", "Est. accuracy", "90 % interval"]
    with_gold = "correct" in sources[0]
    titles += ["Acc. on gold", "Right/judged", "Votes for"] if with_gold else ["Votes for"]
    rows = [titles]
    for line in sources:
        low, high = line["accuracy_interval"]
        row = [line["source"], *(_percent(line[key]) for key in ("coverage", "overlaps", "conflicts", "accuracy"))]
        row.append(f"{100 * low:.1f} to {100 * high:.1f}")
        if with_gold:
            row += [_percent(line["gold_accuracy"]), f"{line['correct']}/{line['correct'] + line['incorrect']}"]
        said = sorted(((count, name) for name, count in line["votes"].items() if count), reverse=True)
        rows.append([*row, ", ".join(f"{name} {count:,}" for count, name in said[:4]) + (", ..." if said[4:] else "")])
    return aligned(rows)


def _pair_lines(pairs: Sequence[dict[str, Any]]) -> str:
    rows = [["Agreement", "", "Items", "Raw", "Kappa", "Corr. of errors"]]
    ordered = sorted(pairs, key=lambda pair: -pair["kappa"] if pair["kappa"] == pair["kappa"] else 2.0)
    shown = ordered if len(ordered) <= SHOWN else [*ordered[: SHOWN // 2], None, *ordered[-SHOWN // 2 :]]
    for pair in shown:
        if pair is None:
            rows.append(["...", "", "", "", "", ""])
            continue
        numbers = [_number(pair["kappa"]), _number(pair["error_correlation"])]
        rows.append([*pair["sources"], f"{pair['items']:,}", _percent(pair["agreement"]), *numbers])
    return aligned(rows, left=2)


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.1f} %"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"

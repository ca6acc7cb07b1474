"""The table of sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel._html import Markup, element, joined, shortened
from weaklabel.report.charts import interval_bar, scrolling
from weaklabel.report.facts import MOST_SOURCES, Facts, percent
from weaklabel.votes.by_source import votes_by_class

COLUMNS = (
    ("Source", "text"),
    ("Votes", "number"),
    ("Coverage", "number"),
    ("Conflicts", "number"),
    ("Estimated accuracy", "number"),
    ("90 % interval", "number"),
    ("Votes for", "text"),
)
LOOK_AT, ON_GOLD = ("Look at", "text"), ("On gold", "number")


def sources_section(facts: Facts) -> list[Markup]:
    """The table, with what is needed to sort and filter it."""
    chosen = listed(facts, MOST_SOURCES)
    n_sources = facts.votes.n_sources
    flags, shares = facts.flags(), _class_shares(facts)
    columns = [
        COLUMNS[0],
        *([LOOK_AT] if flags else []),
        *COLUMNS[1:6],
        *([ON_GOLD] if facts.known else []),
        COLUMNS[6],
    ]
    rows = [_row(facts, int(at), flags, shares) for at in chosen]
    table = element(
        "table",
        element("caption", "Sources: a press on a title sorts"),
        element("thead", element("tr", *(_title(*column) for column in columns))),
        element("tbody", *rows),
        id="sources-table",
        class_="sortable",
    )
    notes = "Conflicts: share of the items on which its vote differs from another's. The mark on a bar is chance, 1/K."
    if len(chosen) < n_sources:
        notes += f" {len(chosen):,} of {n_sources:,} sources are listed: those with remarks, then those that vote most."
    if facts.is_sampled:
        notes += f" Conflicts and votes by class are of a sample of {len(facts.positions):,} items."
    search = element("input", id="sources-filter", type="search", autocomplete="off", data_of="sources-table")
    label = element("label", "Filter the sources ", search, for_="sources-filter", class_="filter")
    status = element("p", f"{len(chosen):,} sources", id="sources-status", role="status", class_="note")
    return [element("p", notes, class_="note"), label, status, scrolling(table, "Table of sources")]


def listed(facts: Facts, most: int) -> NDArray[np.intp]:
    """Positions of at most so many sources, in their order: those with remarks first, then those that vote most."""
    names = facts.votes.source_names
    if len(names) <= most:
        return np.arange(len(names))
    flags = facts.flags()
    remarked = np.array([name in flags for name in names])
    order = np.lexsort((-facts.votes.coverage, ~remarked))
    return np.sort(order[:most])


def _class_shares(facts: Facts) -> NDArray[np.float64]:
    """[M, K] share of each class among the votes of each source on the sample, for one class each."""
    counts = votes_by_class(facts.sample)
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))


def _title(name: str, kind: str) -> Markup:
    button = element("button", name, type="button", data_kind=kind)
    return element("th", button, scope="col", aria_sort="none", class_=kind)


def _row(facts: Facts, at: int, flags: dict[str, list[str]], shares: NDArray[np.float64]) -> Markup:
    name, (low, high) = facts.votes.source_names[at], facts.interval[at].tolist()
    accuracy, coverage = float(facts.accuracy[at]), float(facts.votes.coverage[at])
    bar = interval_bar(low, accuracy, high, 1 / facts.model.n_classes)
    n_votes = round(coverage * facts.votes.n_items)
    remarks = shortened("; ".join(flags.get(name, ())), 160)
    cells = [
        element("th", shortened(name), scope="row"),
        *([element("td", remarks, class_="flag")] if flags else []),
        _number(f"{n_votes:,}", n_votes),
        _number(percent(coverage), coverage),
        _number(percent(float(facts.summary.conflicts[at])), float(facts.summary.conflicts[at])),
        _number(percent(accuracy), accuracy),
        _number(joined([bar, element("span", f"{100 * low:.1f} to {100 * high:.1f}", class_="ends")]), high - low),
    ]
    if facts.known is not None:
        cells.append(_on_gold(facts, at))
    top = [k for k in np.argsort(-shares[at], kind="stable")[:3].tolist() if shares[at, k] > 0]
    words = ", ".join(f"{shortened(facts.model.classes[k], 24)}:\N{NO-BREAK SPACE}{_close(shares[at, k])}" for k in top)
    more = int((shares[at] > 0).sum()) - len(top)
    cells.append(element("td", words + (f" and {more} more" if more > 0 else "")))
    return element("tr", *cells)


def _close(share: float) -> str:
    """A share that no line break parts from its sign."""
    return percent(share, 0).replace(" ", "\N{NO-BREAK SPACE}")


def _on_gold(facts: Facts, at: int) -> Markup:
    assert facts.known is not None
    summary = facts.known.summary
    assert summary.empirical_accuracy is not None
    assert summary.correct is not None
    assert summary.incorrect is not None
    judged = int(summary.correct[at] + summary.incorrect[at])
    value = float(summary.empirical_accuracy[at])
    return _number(f"{percent(value)} of {judged:,}" if judged else "-", value if judged else -1)


def _number(shown: object, value: float) -> Markup:
    return element("td", shown, data_v=f"{value:.6g}", class_="number")

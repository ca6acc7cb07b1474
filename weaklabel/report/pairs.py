"""How far sources agree, and how far their errors depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel._html import Markup, element, shortened, table
from weaklabel.analysis import EffectiveVotes, effective_votes, pairwise_agreement
from weaklabel.model.report.findings import ENOUGH_GOLD
from weaklabel.report.charts import figure, heat_map, legend
from weaklabel.report.facts import MOST_PAIRED, Facts
from weaklabel.report.sources import listed
from weaklabel.votes import Votes


def pairs_section(facts: Facts) -> list[Markup]:
    """Two heat maps, and how many independent votes the sources are worth."""
    sample = facts.sample
    if not sample.is_plain:
        return [
            element("p", "Votes for several classes at once are not compared: agreement is of votes for one class.")
        ]
    if sample.n_sources < 2 or sample.n_votes == 0:
        return [element("p", "There are no two sources with votes to compare.")]
    chosen = [sample.source_names[at] for at in listed(facts, MOST_PAIRED)]
    some = sample if len(chosen) == sample.n_sources else sample.select_sources(chosen)
    parts = []
    if len(chosen) < sample.n_sources:
        told = f"{len(chosen)} of {sample.n_sources:,} sources are compared: with remarks, then those that vote most."
        parts.append(element("p", told, class_="note"))
    one_sided = _is_one_sided(some)
    blank = one_sided[:, None] & one_sided
    if blank[np.triu_indices(len(chosen), 1)].all():
        told = "Each source votes for one class only: how far they agree says nothing of how far they are right."
        return [*parts, element("p", told)]
    if one_sided.any():
        told = (
            "Kappa beside a source that votes for one class only is always 0, and of two such sources the correlation "
            "of errors says nothing: these cells are blank."
        )
        parts.append(element("p", told, class_="note"))
    agreement = np.where(one_sided[:, None] | one_sided, np.nan, pairwise_agreement(some).kappa)
    if np.isfinite(agreement[np.triu_indices(len(chosen), 1)]).any():
        parts += _map("Agreement beyond chance (Cohen's kappa)", chosen, agreement, "agree most", "agree least")
    if some.n_votes == 0:
        return parts
    worth = effective_votes(some, facts.soft)
    errors = np.where(blank, np.nan, _spread(worth.sources, worth.pairs, chosen))
    parts.append(element("p", _worth(facts, chosen, worth)))
    parts += _map("Correlation of errors", chosen, errors, "err together most", "err together least")
    return [*parts, legend()]


def _worth(facts: Facts, chosen: Sequence[str], by_soft: EffectiveVotes) -> str:
    """How many independent votes the sources are worth: by gold where there is enough, or else by soft labels."""
    known = facts.known
    if known is not None and len(known.labels) >= ENOUGH_GOLD and known.votes.select_sources(chosen).n_votes:
        worth, by = effective_votes(known.votes, known.labels, sources=chosen), f"gold of {len(known.labels):,} items."
    else:
        worth = by_soft
        by = (
            "soft labels. Errors that most sources share look like truth to votes alone, so the number is rather an "
            "upper bound."
        )
    low, high = worth.interval
    return (
        f"{worth.n_sources} sources are worth {worth.number:.1f} independent votes (90 % interval {low:.1f} to "
        f"{high:.1f}), by {by}"
    )


def _is_one_sided(votes: Votes) -> NDArray[np.bool_]:
    """[M] whether a source votes for one class only."""
    _, sources, labels = votes.triples()
    seen = np.zeros((votes.n_sources, votes.n_classes), bool)
    seen[sources, labels] = True
    return np.asarray(seen.sum(1) == 1)


def _spread(names: Sequence[str], values: NDArray[np.float64], chosen: Sequence[str]) -> NDArray[np.float64]:
    """Values of some sources among all that were chosen; NaN for the others."""
    at = [list(chosen).index(name) for name in names]
    wide = np.full((len(chosen), len(chosen)), np.nan)
    wide[np.ix_(at, at)] = values
    return wide


def _map(caption: str, names: Sequence[str], values: NDArray[Any], most: str, least: str) -> list[Markup]:
    rows, columns = np.triu_indices(len(names), 1)
    flat = values[rows, columns]
    order = np.argsort(np.where(np.isnan(flat), np.inf, -flat), kind="stable")[: np.isfinite(flat).sum()]

    def named(place: int) -> str:
        a, b = (shortened(names[one[place]], 40) for one in (rows, columns))
        return f"{a} and {b} ({flat[place]:.2f})"

    words = "No two sources share an item on which this can be told."
    if len(order):
        words = f"{named(order[0])} {most}, {named(order[-1])} {least}."
    titles = ["", *(str(at + 1) for at in range(len(names)))]
    lines = [
        [f"{at + 1} {shortened(name, 40)}", *("" if at == k or v != v else f"{v:.2f}" for k, v in enumerate(line))]
        for at, (name, line) in enumerate(zip(names, values.tolist(), strict=True))
    ]
    drawing = heat_map(names, values, f"Heat map of {len(names)} sources. {caption}: {words}")
    return [figure(drawing, caption, table(caption, titles, lines)), element("p", words)]

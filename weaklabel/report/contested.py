"""The items that sources fight over, and what each source contributes."""

from __future__ import annotations

import numpy as np

from weaklabel._html import Markup, element, joined, shortened, table
from weaklabel.analysis.inspection.contested import rank_contested
from weaklabel.errors import InvalidArgumentError
from weaklabel.report.charts import picture, scrolling
from weaklabel.report.facts import Facts, percent

SHOWN = 10
"""Items that are shown."""
MOST_VOTES = 15
"""Of an item: those that weigh most."""
SIDE = 45
"""Length of the longest bar."""


def contested_section(facts: Facts) -> list[Markup]:
    """The most contested items, each with its votes by what they add to the log-odds of the two likeliest classes."""
    ranked = rank_contested(facts.sample, facts.model).items
    if not len(ranked):
        return [element("p", "There is no item whose votes conflict.")]
    of_all = " of a sample" if facts.is_sampled else ""
    words = (
        f"{len(ranked):,} items{of_all} ({percent(len(ranked) / len(facts.positions))}) have votes that conflict. "
        "Shown are those whose second class has most support, votes weighed by how often their sources are right. A "
        "contribution is what a vote adds to the log-odds of the likeliest class against the next."
    )
    return [element("p", words), *(_item(facts, int(at)) for at in ranked[:SHOWN])]


def _item(facts: Facts, at: int) -> Markup:
    model, soft = facts.model, facts.soft[at]
    first, second = np.argsort(-soft, kind="stable")[:2].tolist()
    names = [shortened(model.classes[k], 40) for k in (first, second)]
    title = (
        f"{shortened(facts.item_name(at))}: {names[0]} {percent(float(soft[first]))}, "
        f"{names[1]} {percent(float(soft[second]))}"
    )
    try:
        told = model.explain(facts.sample.select_items([at]), 0)
    except InvalidArgumentError as error:  # labels that depend on those of other items
        return element("details", element("summary", title), element("p", str(error)))
    gains = told.sources[:, first] - told.sources[:, second]
    order = np.argsort(-np.abs(gains), kind="stable")[:MOST_VOTES]
    rows = [(told.source_names[n], told.vote_texts[n], float(gains[n])) for n in order.tolist()]
    if len(gains) > len(order):
        rest = float(gains.sum() - gains[order].sum())
        rows.append((f"{len(gains) - len(order):,} other sources", "", rest))
    others = (("class balance", told.prior), ("vote shares", told.vote_shares), ("gold", told.gold))
    rows += [(name, "", float(values[first] - values[second])) for name, values in others if np.any(values)]
    longest = max([abs(gain) for *_, gain in rows] + [1e-9])
    lines = [[shortened(name), shortened(vote, 40), _bar(gain, longest)] for name, vote, gain in rows]
    caption = f"Contributions on {shortened(facts.item_name(at))}, for {names[0]} (right) against {names[1]} (left)"
    return element(
        "details",
        element("summary", title),
        scrolling(table(caption, ["Source", "Vote", "Contribution"], lines), caption),
    )


def _bar(gain: float, longest: float) -> Markup:
    length = SIDE * abs(gain) / longest
    x = SIDE + 1 if gain >= 0 else SIDE + 1 - length
    rect = element(
        "rect", x=f"{x:.1f}", y="2", width=f"{length:.1f}", height="10", class_="more" if gain >= 0 else "less"
    )
    axis = element("path", d=f"M{SIDE + 1} 0v14", class_="axis")
    number = element("span", f"{gain:+.2f}", class_="gain")
    return joined([number, picture(2 * SIDE + 2, 14, f"{gain:+.2f}", rect, axis, class_="bar")])

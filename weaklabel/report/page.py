"""The page: its head, the verdict, the sections in their order, and how it was made."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files

import numpy as np

from weaklabel._html import Markup, element, joined, table
from weaklabel._version import __version__
from weaklabel.analysis import conflict, coverage
from weaklabel.model import Finding
from weaklabel.model.report.findings import ENOUGH_GOLD, MARGIN
from weaklabel.model.report.on_gold import WITHOUT_GOLD, Judged
from weaklabel.report.beside_gold import has_seen_gold
from weaklabel.report.contested import contested_section
from weaklabel.report.facts import Facts, Known, percent
from weaklabel.report.labels import accuracies, balance_section, gold_section, uncertainty_section
from weaklabel.report.pairs import pairs_section
from weaklabel.report.sources import sources_section

HIGH_RISK, SOME_RISK = 0.3, 0.1
"""Of hard labels that are worse than majority vote's."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The browser refuses whatever would be fetched."""
DATE = "\0date\0"
"""Where the date comes to stand."""
TITLES = {
    "doubt": "Sources may share errors",
    "coverage": "No votes",
    "views": "Too few overlapping votes",
    "votes_per_parameter": "Few votes for each source",
    "class_without_votes": "A class without votes",
    "unanimous_share": "Labels against unanimous votes",
    "balance_shift": "Class balance far from the votes",
    "worse_than_chance": "Wrong sources",
    "mostly_wrong": "Often wrong sources",
    "constant": "Constant sources",
    "silent": "Silent sources",
    "copies": "Repeated sources",
    "excess_correlation": "Errors in common",
    "likelihood_gain": "The fit adds little",
    "converged": "Not converged",
}
"""Of findings."""


@dataclass(frozen=True, eq=False)
class Page:
    """A page that lacks only its date."""

    verdict: str
    _body: str

    def html(self, date: str) -> str:
        """The page, made on that date."""
        return self._body.replace(DATE, element("time", date))


def verdict(facts: Facts) -> tuple[str, str]:
    """Whether labels can be relied on: how bad it is ("good", "fair", "bad"), and a sentence."""
    found = facts.diagnostics
    kinds = {finding.kind for finding in found.findings}
    if "coverage" in kinds:
        return "bad", "There is nothing to rely on: no item has a vote."
    if facts.known is not None and facts.known.n_known >= ENOUGH_GOLD and not has_seen_gold(facts.model):
        ours, majority = accuracies(facts.model, facts.known)
        told = f"{percent(ours)} of the labels are right on {facts.known.n_known:,} items with gold"
        commonest, share = _commonest(facts.known, facts.model.classes)
        if _at_most(ours, len(facts.known.labels)) < share:
            others = f"and {percent(share)} would be if all were {commonest!r}"
            return "bad", f"Do not use these labels, made without gold: {told}, {others}. Fit with the gold."
        if ours < majority - MARGIN:
            return "bad", f"Majority vote is better here: {told}, and {percent(majority)} of its labels."
        if found.findings or found.risk > SOME_RISK:
            return "fair", f"Usable with care: {told} (majority vote {percent(majority)}). Look at the findings, too."
        return "good", f"Nothing doubtful was found: {told} (majority vote {percent(majority)})."
    if found.risk > HIGH_RISK or "doubt" in kinds:
        return "bad", "Do not rely on these labels yet: check them against some gold first."
    if found.findings or found.risk > SOME_RISK:
        return "fair", "Usable with care: look at what was found below before you rely on these labels."
    return "good", "Nothing doubtful was found."


def _commonest(known: Known, classes: Sequence[str]) -> tuple[str, float]:
    """The commonest class among known labels, and its share."""
    counts = np.bincount(known.labels, minlength=len(classes))
    return classes[int(counts.argmax())], float(counts.max() / counts.sum())


def _at_most(share: float, n_items: int) -> float:
    """Upper end of the interval of a share that was seen on so many items."""
    return float(Judged(np.array([round(share * n_items)]), np.array([n_items])).intervals[0, 1])


def page_of(facts: Facts, title: str) -> Page:
    """The page of what was gathered."""
    grade, sentence = verdict(facts)
    sections = (
        ("findings", "Findings", _findings(facts)),
        ("sources", "Sources", sources_section(facts)),
        ("pairs", "Agreement and dependence", pairs_section(facts)),
        ("balance", "Class balance", balance_section(facts)),
        ("gold", "Against gold", gold_section(facts)),
        ("uncertainty", "Uncertainty", uncertainty_section(facts)),
        ("contested", "Contested items", contested_section(facts)),
        ("made", "How it was made", _made(facts)),
    )
    links = (element("li", element("a", name, href=f"#{id_}")) for id_, name, _ in sections)
    parts = (
        element("section", element("h2", name, id=f"{id_}-title"), *inside, id=id_, aria_labelledby=f"{id_}-title")
        for id_, name, inside in sections
    )
    body = joined(
        [
            element("a", "To the report", href="#main", class_="skip"),
            element("header", element("h1", title), *_summary(facts, grade, sentence)),
            element("nav", element("ul", *links), aria_label="Sections"),
            element("main", *parts, id="main"),
            element("footer", element("p", f"Made by weaklabel {__version__} on ", Markup(DATE))),
            element("script", Markup(_asset("report.js"))),
        ]
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(_asset("report.css"))),
    )
    return Page(sentence, f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n")


def _asset(name: str) -> str:
    return files("weaklabel.report").joinpath("assets", name).read_text("utf-8")


def _summary(facts: Facts, grade: str, sentence: str) -> list[Markup]:
    votes, found = facts.votes, facts.diagnostics
    sampled = f" (of a sample of {len(facts.positions):,} items)" if facts.is_sampled else ""
    numbers = (
        ("Items", f"{votes.n_items:,}"),
        ("Sources", f"{votes.n_sources:,}"),
        ("Classes", f"{votes.n_classes:,}"),
        ("Items with votes", percent(coverage(facts.sample))),
        ("Items with conflicting votes", percent(conflict(facts.sample)) + sampled),
        ("Findings", f"{len(found.findings)}"),
        ("Doubt that sources are independent", f"{found.doubt:.2f} of 1"),
        ("Risk of being worse than majority vote", percent(found.risk, 0)),
    )
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in numbers)
    return [element("p", sentence, class_=f"verdict {grade}"), element("dl", *pairs, class_="numbers")]


def _findings(facts: Facts) -> list[Markup]:
    found = facts.diagnostics.findings
    told = element("p", "Nothing doubtful was found in the votes and the fit.")
    told = element("ul", *map(_finding, found), class_="findings") if found else told
    seen = facts.known is not None or has_seen_gold(facts.model)
    return [told] if seen else [told, element("p", WITHOUT_GOLD, class_="note")]


def _finding(finding: Finding) -> Markup:
    title = TITLES.get(finding.kind, finding.kind.replace("_", " ").capitalize())
    words = (element("code", part) if at % 2 else part for at, part in enumerate(finding.message.split("`")))
    return element("li", element("strong", title + "."), " ", *words)


def _made(facts: Facts) -> list[Markup]:
    model, versions = facts.model, ("numpy", "scipy", "jax")
    looked = f"{len(facts.positions):,} of {facts.votes.n_items:,}" if facts.is_sampled else "all"
    rows = [
        ["Date", Markup(DATE)],
        ["Versions", ", ".join([f"weaklabel {__version__}", *(f"{name} {version(name)}" for name in versions)])],
        ["Python", platform.python_version()],
        ["Label space", model.label_space],
        ["Source model", model.source_model or "chosen by the votes"],
        ["Seed, limit of iterations, tolerance", f"{model.seed}, {model.max_iter}, {model.tol:g}"],
        ["Rows that EM ran on at most", "all" if model.sample_rows is None else f"{model.sample_rows:,} distinct ones"],
        ["Iterations", f"{model.n_iter} ({'converged' if model.converged else 'not converged'})"],
        ["Gold in the fit", "yes" if has_seen_gold(model) else "no"],
        ["Features in the fit", "no" if model.feature_strength is None else "yes; labels here are by votes alone"],
        ["Items looked at", looked],
    ]
    return [table("Settings of the model, and versions", ["", ""], rows)]

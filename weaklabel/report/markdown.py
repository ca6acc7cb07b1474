"""A card in Markdown, with the header that Hugging Face reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from weaklabel.report.release import Release

SIZES = (
    (1e3, "n<1K"),
    (1e4, "1K<n<10K"),
    (1e5, "10K<n<100K"),
    (1e6, "100K<n<1M"),
    (1e7, "1M<n<10M"),
    (1e8, "10M<n<100M"),
)
"""Names of sizes on the hub."""


MADE = (
    "Votes of the sources were combined by the label model of weaklabel. The label of an item is its likeliest class; "
    "the probabilities are calibrated by the model's own account."
)


def as_markdown(release: Release) -> str:
    """The card as text."""
    sampled = "" if release.n_sampled is None else f" Shares are of a sample of {release.n_sampled:,} items."
    parts = [
        _header(release),
        f"# {_safe(release.name)}",
        _safe(release.description),
        f"Version {_safe(release.version)}" + (f", {_safe(release.date)}." if release.date else "."),
        "## What is in it",
        _table(("", ""), _contents(release)) + sampled,
        "## Class balance",
        _table(("class", "estimated share"), ((name, _number(share)) for name, share in release.balance.items())),
        "## Sources",
        *(
            [f"{len(release.sources):,} of {release.n_sources:,} are listed."]
            if len(release.sources) < release.n_sources
            else []
        ),
        _table(
            ("source", "version", "licence", "coverage", "estimated accuracy", "90 % interval", "remarks"),
            (
                (
                    one.name,
                    one.version or "not stated",
                    one.license or "not stated",
                    _number(one.coverage),
                    _number(one.accuracy),
                    f"{_number(one.interval[0])} to {_number(one.interval[1])}",
                    one.remarks,
                )
                for one in release.sources
            ),
        ),
        "## How the labels were made",
        MADE,
        _table(("setting", "value"), release.model.items()),
        "## Known weaknesses",
        "\n".join(f"- {_safe(line)}" for line in release.weaknesses),
        "## On known labels",
        "None were given to compare with."
        if release.scores is None
        else _table(("score", "value"), release.scores.items()),
        "## Licence",
        _safe(release.license)
        if release.license
        else "Not stated. Sources may bring licences of their own, see above.",
        "## How to cite",
        _safe(release.cited_as),
    ]
    return "\n\n".join(parts) + "\n"


def _header(release: Release) -> str:
    size = next((name for most, name in SIZES if release.n_items < most), "100M<n<1B")
    lines = [
        *_license(release.license),
        f"pretty_name: {_quoted(release.name)}",
        f"size_categories: [{_quoted(size)}]",
        f"version: {_quoted(release.version)}",
        'tags: ["weak-supervision", "weaklabel"]',
    ]
    return "\n".join(["---", *sorted(lines), "---"])


def _license(name: str | None) -> list[str]:
    """Lines of the header, of a licence that is named as SPDX does, by its address or in words, or not at all."""
    if name is None:
        return ['license: "unknown"']
    if re.fullmatch(r"[A-Za-z0-9.+-]+", name):
        return [f"license: {_quoted(name.lower())}"]
    return ['license: "other"', f"license_name: {_quoted(name)}"]


def _contents(release: Release) -> Iterable[tuple[str, Any]]:
    yield "items", f"{release.n_items:,}"
    yield "votes", f"{release.n_votes:,} of {release.n_sources:,} sources"
    yield "items with votes", _number(release.coverage)
    yield "items with conflicting votes", _number(release.conflict)
    yield "mean probability of the likeliest class", _number(release.mean_confidence)
    yield "risk of being worse than majority vote", _number(release.risk)
    yield "doubt that sources are independent", _number(release.doubt)
    yield "sha256 of the votes", release.votes_sha256
    yield "sha256 of the model", release.model_sha256
    yield from ((f"file {name}, sha256", digest) for name, digest in release.files)


def _table(titles: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *([_safe(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _quoted(text: str) -> str:
    """A text as YAML reads it: JSON's texts are."""
    return json.dumps(text, ensure_ascii=False)


def _safe(text: str) -> str:
    """On one line, and without what Markdown would take for markup."""
    return re.sub(r"([\\|`*\[\]<>])", r"\\\1", " ".join(text.split()))

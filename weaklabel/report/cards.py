"""The card of a released label set: what went into it, what is known of it, and what is not."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from weaklabel._version import __version__
from weaklabel.analysis import conflict, coverage, evaluate
from weaklabel.errors import InvalidArgumentError
from weaklabel.model import LabelModel
from weaklabel.report.beside_gold import has_seen_gold
from weaklabel.report.croissant import as_croissant
from weaklabel.report.facts import Facts, gather
from weaklabel.report.markdown import as_markdown
from weaklabel.report.release import Release, SourceEntry
from weaklabel.report.sources import listed
from weaklabel.votes import Votes

MOST_SOURCES = 1000
"""Sources that are listed."""
DIGITS = 4
"""Decimals that are kept of shares."""


@dataclass(frozen=True, eq=False)
class Card:
    """The card of a released label set. It holds no clock: the same votes, model and words give the same bytes."""

    release: Release
    """What it says, as data."""

    def to_json(self) -> str:
        """Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html) as JSON-LD, keys sorted."""
        return as_croissant(self.release)

    def to_markdown(self) -> str:
        """A data card in Markdown, with the header that Hugging Face reads."""
        return as_markdown(self.release)

    def _repr_markdown_(self) -> str:
        return self.to_markdown().split("---\n", 2)[2]

    def __repr__(self) -> str:
        return f"Card({self.release.name!r}, version {self.release.version!r})"


def card(
    votes: Votes | ArrayLike,
    model: LabelModel,
    *,
    name: str,
    version: str,
    license: str | None = None,  # noqa: A002  # as every card calls it
    description: str | None = None,
    url: str | None = None,
    creators: Iterable[str] = (),
    citation: str | None = None,
    date: datetime.date | str | None = None,
    source_versions: Mapping[str, str] | None = None,
    source_licenses: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    gold: ArrayLike | None = None,
) -> Card:
    """The card of the labels that a model makes of votes: a dataset nutrition label (arXiv:1805.03677).

    Args:
        votes: those that the labels are made of.
        model: fitted, and knows the sources by name.
        name: of the label set.
        version: of the label set.
        license: of the label set: an SPDX identifier, or an address. Where not given, the card says that none is.
        description: in a sentence or two.
        url: where the label set is found.
        creators: names of those who made it.
        citation: how to cite it; made of name, version, creators and url where not given.
        date: of the release. Where not given, the card has none.
        source_versions: version by name of a source; the others are listed without one.
        source_licenses: licence by name of a source, as of a data set or a language model that it draws on.
        files: sha256, in hexadecimal, by name of each file of the release, as `weaklabel predict` writes it.
        gold: [N] known labels, as in `report`, for scores.

    Raises:
        NotFittedError: for a model that is not fitted.
        InvalidVotesError: if the votes cannot be read.
        InvalidArgumentError: for a name or version that is empty, a source that is unknown, a digest that is none, gold
            that does not fit.
    """
    for field, text in (("name", name), ("version", version)):
        if not isinstance(text, str) or not text.strip():
            raise InvalidArgumentError(f"{field} must be a text that is not empty, got {text!r}", field=field)
    facts = gather(votes, model, gold, None)
    versions = _by_source(source_versions, facts.votes, "source_versions")
    licenses = _by_source(source_licenses, facts.votes, "source_licenses")
    return Card(
        Release(
            name=name,
            version=version,
            license=license,
            description=description or f"Labels of {facts.votes.n_items:,} items, made of votes by weak supervision.",
            url=url,
            creators=tuple(creators),
            citation=citation,
            date=None if date is None else str(date),
            files=_digests(files),
            sources=_sources(facts, versions, licenses),
            weaknesses=_weaknesses(facts, license),
            **_figures(facts),
        )
    )


def _figures(facts: Facts) -> dict[str, Any]:
    """Fields of a release that votes and model tell."""
    votes, model = facts.votes, facts.model
    return {
        "n_items": votes.n_items,
        "n_votes": votes.n_votes,
        "coverage": _rounded(coverage(facts.sample)),
        "conflict": _rounded(conflict(facts.sample)),
        "n_sampled": len(facts.positions) if facts.is_sampled else None,
        "n_sources": votes.n_sources,
        "balance": dict(zip(model.classes, map(_rounded, model.class_balance.tolist()), strict=True)),
        "mean_confidence": _rounded(float(facts.soft.max(1).mean())) if len(facts.soft) else None,
        "model": _settings(model),
        "risk": _rounded(facts.diagnostics.risk),
        "doubt": _rounded(facts.diagnostics.doubt),
        "scores": _scores(facts),
        "votes_sha256": fingerprint(votes),
        "model_sha256": hashlib.sha256(model.to_bytes()).hexdigest(),
    }


def fingerprint(votes: Votes) -> str:
    """sha256 of the votes, in hexadecimal: the same whether they are dense or sparse."""
    digest = hashlib.sha256(f"{votes.n_items} {votes.n_classes} {votes.source_names!r}".encode())
    if votes.item_ids is not None:
        digest.update("\0".join(votes.item_ids.tolist()).encode("utf-8", "surrogatepass"))
    if not votes.is_plain:
        codes = range(votes.n_classes, votes.n_classes + len(votes.symbols))
        digest.update(repr([votes.symbols.vote(code) for code in codes]).encode())
    items, sources, labels = votes.triples()
    for array in (items, sources, labels):
        digest.update(array.astype("<i4").tobytes())
    return digest.hexdigest()


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def _by_source(given: Mapping[str, str] | None, votes: Votes, field: str) -> Mapping[str, str]:
    unknown = sorted(set(given or ()) - set(votes.source_names))
    if unknown:
        raise InvalidArgumentError(f"{field} names {unknown[0]!r}, which is no source of the votes", field=field)
    return given or {}


def _digests(files: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    for name, digest in (files or {}).items():
        if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
            raise InvalidArgumentError(
                f"files: {digest!r} of {name!r} is no sha256 digest of 64 hexadecimal digits", field="files"
            )
    return tuple(sorted((name, digest.lower()) for name, digest in (files or {}).items()))


def _sources(facts: Facts, versions: Mapping[str, str], licenses: Mapping[str, str]) -> tuple[SourceEntry, ...]:
    flags = facts.flags()
    return tuple(
        SourceEntry(
            name=(name := facts.votes.source_names[at]),
            version=versions.get(name),
            license=licenses.get(name),
            coverage=_rounded(facts.votes.coverage[at]),
            accuracy=_rounded(facts.accuracy[at]),
            interval=(_rounded(facts.interval[at, 0]), _rounded(facts.interval[at, 1])),
            remarks="; ".join(flags.get(name, ())),
        )
        for at in listed(facts, MOST_SOURCES).tolist()
    )


def _settings(model: LabelModel) -> dict[str, Any]:
    return {
        "weaklabel": __version__,
        "label space": model.label_space,
        "source model": model.source_model or "chosen by the votes",
        "seed": model.seed,
        "most iterations": model.max_iter,
        "tolerance": model.tol,
        "rows fitted at most": "all" if model.sample_rows is None else model.sample_rows,
        "iterations": model.n_iter,
        "converged": model.converged,
        "fitted with gold": has_seen_gold(model),
        "fitted with features": model.feature_strength is not None,
    }


def _weaknesses(facts: Facts, license: str | None) -> tuple[str, ...]:  # noqa: A002
    found = facts.diagnostics
    told = [finding.message for finding in found.findings]
    told.append(f"The estimated risk that hard labels are worse than majority vote's is {100 * found.risk:.0f} %.")
    if facts.known is None:
        fitted = "The model was fitted with gold, but the" if has_seen_gold(facts.model) else "The"
        told.append(
            f"{fitted} labels were not compared with gold for this card: their accuracy is the model's own estimate."
        )
    elif has_seen_gold(facts.model):
        told.append("The model was fitted with gold: where it is the same, scores on gold flatter.")
    silent = float((facts.class_votes.sum(1) == 0).mean()) if len(facts.positions) else 0.0
    if silent > 0:
        told.append(f"{100 * silent:.1f} % of the items have no vote: their labels say nothing of them.")
    if license is None:
        told.append("No licence is stated.")
    return tuple(told)


def _scores(facts: Facts) -> dict[str, float | int | None] | None:
    if facts.known is None:
        return None
    scores = evaluate(facts.known.soft, facts.known.labels)
    return {
        "accuracy": _rounded(scores.accuracy),
        "negative log-likelihood": _rounded(scores.nll),
        "Brier score": _rounded(scores.brier),
        "calibration error": _rounded(scores.ece),
        "items with gold": scores.n_items,
    }

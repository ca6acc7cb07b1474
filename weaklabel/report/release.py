"""What a card says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """A source of a label set."""

    name: str
    version: str | None
    license: str | None
    coverage: float | None
    """Share of the items that it votes on."""
    accuracy: float | None
    """By the model."""
    interval: tuple[float | None, float | None]
    """Of 90 %."""
    remarks: str
    """What the diagnostics say of it; empty where nothing."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A released label set."""

    name: str
    version: str
    license: str | None
    description: str
    url: str | None
    creators: tuple[str, ...]
    citation: str | None
    date: str | None
    files: tuple[tuple[str, str], ...]
    """Names and sha256 digests, by name."""
    n_items: int
    n_votes: int
    coverage: float | None
    """Share of the items that have a vote."""
    conflict: float | None
    """Share of the items whose votes conflict."""
    n_sampled: int | None
    """Items that shares are of, where not of all."""
    n_sources: int
    sources: tuple[SourceEntry, ...]
    """All, or those with remarks and those that vote most."""
    balance: dict[str, float | None]
    """Estimated share by name of a class."""
    mean_confidence: float | None
    """Mean probability of the likeliest class."""
    model: dict[str, Any]
    """Settings, and how the fit went."""
    risk: float | None
    doubt: float | None
    weaknesses: tuple[str, ...]
    scores: dict[str, float | int | None] | None
    """On gold; None without."""
    votes_sha256: str
    model_sha256: str

    @property
    def cited_as(self) -> str:
        """How to cite it."""
        if self.citation is not None:
            return self.citation
        who = f"{', '.join(self.creators)}. " if self.creators else ""
        when = f" {self.date}." if self.date else ""
        where = f" {self.url}" if self.url else ""
        return f"{who}{self.name}, version {self.version}.{when}{where}"

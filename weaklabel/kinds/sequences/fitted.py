"""What a fit of a sequence model yields, and what it says about itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.report.diagnostics import Finding

CONTRADICTED = 0.1
"""Share of the marked tokens whose votes all name one type and that EM gives another: more is drift."""
INVENTED = 0.5
"""Share of EM's tokens in spans that no source marks: more is drift."""


class Fitted(NamedTuple):
    """Parameters, and the report."""

    source_names: tuple[str, ...]
    annotator: NDArray[np.bool_]
    """[M] sources whose "O" is a vote."""
    votes: NDArray[np.float32]
    """[M, S, K] log-likelihood of each symbol, see `sources`."""
    covered: NDArray[np.float32]
    """[2, K] log-likelihood of no function, and of any, marking a token."""
    first: NDArray[np.float32]
    """[K] P(tag of the first token)."""
    next: NDArray[np.float32]
    """[K, K] P(tag | tag before)."""
    copies: NDArray[np.float64]
    """[M, M]"""
    unmarked: NDArray[np.float64]
    """[K] probability of each tag that is added on tokens that no function marks; the rest is the posterior's."""
    coverage: NDArray[np.float64]
    """[M] share of the tokens that a source marks as in a span."""
    precision: NDArray[np.float64]
    """[M] estimated share of these that have the tag that it gives."""
    recall: NDArray[np.float64]
    """[M] estimated share of the tokens in spans, of those it votes on, to which it gives their tag."""
    objective: NDArray[np.float64]
    """[n_iter] log marginal likelihood of the votes per token, in nats, at the start of each iteration."""
    diagnostics: SequenceDiagnostics


@dataclass(frozen=True, repr=False)
class SequenceDiagnostics:
    """What is doubtful about a fit. `print` it for the words."""

    findings: tuple[Finding, ...]
    """What is doubtful; empty where nothing is."""
    fallback: bool
    """Whether EM drifted, so that labels are vote shares."""
    contradicted: float
    """Share of the marked tokens whose votes all name one type, and to which EM gives another."""
    invented: float
    """Share of the tokens that EM puts into spans and no source marks."""
    copies: tuple[tuple[str, str], ...]
    """Pairs of annotators that share errors far beyond the usual pair; each counts less where they agree."""
    silent: tuple[str, ...]
    """Sources that mark no token."""
    tokens: int
    """Number of tokens on which EM ran."""
    converged: bool

    def __str__(self) -> str:
        lines = [finding.message for finding in self.findings] or ["nothing doubtful was found"]
        return "\n".join(f"- {line}" for line in lines)

    def __repr__(self) -> str:
        kinds = ", ".join(finding.kind for finding in self.findings) or "none"
        return f"SequenceDiagnostics(findings: {kinds}; print it for the words)"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"findings": [list(finding) for finding in self.findings]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Out of `to_json`."""
        known = {
            "findings": tuple(Finding(*one) for one in values["findings"]),
            "copies": tuple((str(one), str(other)) for one, other in values["copies"]),
            "silent": tuple(map(str, values["silent"])),
        }
        return cls(**values | known)


def diagnose(
    names: tuple[str, ...],
    coverage: NDArray[np.float64],
    copies: NDArray[np.float64],
    *,
    contradicted: float,
    invented: float,
    tokens: int,
    converged: bool,
) -> SequenceDiagnostics:
    """Summarize what is doubtful about a fit."""
    pairs = tuple((names[j], names[k]) for j, k in np.argwhere(np.tril(copies) > 0))
    silent = tuple(name for name, share in zip(names, coverage, strict=True) if share == 0)
    fallback = contradicted > CONTRADICTED or invented > INVENTED
    found = []
    if len(silent) == len(names):
        found.append(Finding("coverage", "No source marks a token: there is nothing to learn spans from."))
    if fallback:
        found.append(
            Finding(
                "fallback",
                f"EM drifted away from the votes: it contradicts {100 * contradicted:.0f} % of the marked tokens, "
                f"whose votes all agree, and no source "
                f"marks {100 * invented:.0f} % of what it takes for spans. Labels are "
                "vote shares instead, as of majority vote, with legal transitions. This is "
                "usual where few rules mark few tokens: add sources, or gold.",
            )
        )
    if pairs:
        listed = ", ".join(f"{one!r} and {other!r}" for one, other in pairs[:5])
        found.append(
            Finding(
                "copies", f"Sources share errors far beyond the usual pair, and count less where they agree: {listed}."
            )
        )
    if silent and len(silent) < len(names):
        found.append(Finding("silent", f"Sources that mark no token: {', '.join(map(repr, silent[:5]))}."))
    if not converged:
        found.append(Finding("converged", "EM was stopped by max_iter before it converged: raise it."))
    return SequenceDiagnostics(
        findings=tuple(found),
        fallback=fallback,
        contradicted=contradicted,
        invented=invented,
        copies=pairs,
        silent=silent,
        tokens=tokens,
        converged=converged,
    )

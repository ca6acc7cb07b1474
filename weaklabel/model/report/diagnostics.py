"""What is doubtful about a fit, as data; printed, in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from weaklabel._html import element

NO_DOUBT = 0.005
"""Doubt below which nothing is said of it."""


class ConvergenceWarning(UserWarning):
    """EM was stopped by its limit of iterations before it converged."""


class Finding(NamedTuple):
    """One thing that is doubtful."""

    kind: str
    """For programs; one of the fields of Diagnostics, or of its conditions."""
    message: str
    """What it is, and what to do about it."""


@dataclass(frozen=True, repr=False)
class Diagnostics:
    """What a fit says about itself. `print` it for the findings."""

    findings: tuple[Finding, ...] = field(default=(), kw_only=True)
    """What is doubtful; empty where nothing is."""
    risk: float
    """Estimated probability that the accuracy of hard labels is more than a point below majority vote's; see `risk_of`
    for what it was fitted to. With gold, that of the corrected labels."""
    unanimous_items: int
    """Items whose votes, two or more, all agree, and whose likeliest class is another."""
    unanimous_share: float
    """Their share of the items with such votes."""
    balance_shift: float
    """Total variation distance between the estimated class balance and that of the vote shares."""
    worse_than_chance: tuple[str, ...]
    """Sources whose accuracy is below chance with 95 % probability: below that of a guess among the classes that get
    votes, or of the source's own votes dealt out at random where that is less, as for one that names a rare class."""
    constant: tuple[str, ...]
    """Sources that vote for one class on (nearly) every item."""
    silent: tuple[str, ...]
    """Sources that never vote."""
    views: float
    """Number of sources that vote, copies counted once."""
    joint_items: int
    """Items with votes of three sources or more."""
    likelihood_gain: float
    """Rise of the objective, in nats per item, from the vote shares to the fit."""
    excess_correlation: float
    """Correlation of errors beyond what independent sources of these accuracies show."""
    doubt: float
    """In [0, 1]: 0 where conditional independence of the sources stands, 1 where it is refuted or cannot be tested."""
    copies: tuple[tuple[str, ...], ...]
    """Groups of sources that copy each other, and count once."""
    votes_per_parameter: float
    """Votes for each free parameter of the confusion matrices."""
    converged: bool

    def __str__(self) -> str:
        lines = [finding.message for finding in self.findings]
        if not lines and self.doubt < NO_DOUBT:
            lines = ["nothing doubtful was found"]
        elif not lines:
            lines = [f"no finding, but the independence of the sources is not certain (doubt {self.doubt:.2f})"]
        lines.append(f"estimated risk of hard labels worse than majority vote's: {100 * self.risk:.0f} %")
        return "\n".join(f"- {line}" for line in lines)

    def __repr__(self) -> str:
        kinds = ", ".join(finding.kind for finding in self.findings) or "none"
        return f"Diagnostics(findings: {kinds}; doubt {self.doubt:.2f}, risk {self.risk:.2f}; print it for the words)"

    def _repr_html_(self) -> str:
        lines = str(self).split("\n")
        return element("ul", *(element("li", line.removeprefix("- ")) for line in lines))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"findings": [list(finding) for finding in self.findings]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Out of `to_json`."""
        names = ("worse_than_chance", "constant", "silent")
        return cls(
            **values
            | {name: tuple(values[name]) for name in names}
            | {"copies": tuple(tuple(group) for group in values["copies"])}
            | {"findings": tuple(Finding(*finding) for finding in values["findings"])}
        )

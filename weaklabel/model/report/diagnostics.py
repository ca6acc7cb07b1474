"""What is doubtful about a fit: as data, and in plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import ndtr

from weaklabel.model.dependence.independence import Independence
from weaklabel.model.report.agreement import VIEWS, Agreement
from weaklabel.votes import Votes

UNANIMOUS_SHARE = 0.01
BALANCE_SHIFT = 0.15
CONSTANT_COVERAGE = 0.99
FEWEST_JOINT_VOTES = 10
FLAT_GAIN = 1e-3
CORRELATION = 0.05
VOTES_PER_PARAMETER = 20.0
DOUBT = 0.5
"""Doubt of independence above which it is a finding."""
NO_DOUBT = 0.005
"""Doubt below which nothing is said of it."""
ENOUGH_GOLD = 20
"""Gold labels that show errors which sources share."""
MARGIN = 0.01
"""Accuracy by which hard labels may fall behind majority vote's before that counts as harm."""
SHARED_ERROR = 0.3
"""Standard deviation of the gain per item whose hard label is not majority vote's, by errors that such items share:
fitted by maximum likelihood, see `risk_of`."""


class ConvergenceWarning(UserWarning):
    """EM was stopped by its limit of iterations before it converged."""


class Finding(NamedTuple):
    """One thing that is doubtful."""

    kind: str
    """For programs; one of the fields of Diagnostics, or of its conditions."""
    message: str
    """What it is, and what to do about it."""


@dataclass(frozen=True)
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
    """Sources whose accuracy is below 1/K with 95 % probability."""
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

    def with_gold(self, agreement: Agreement, n_items: float, n_labels: int) -> Diagnostics:
        """The same of soft labels that `n_labels` gold labels have corrected, by their agreement on `n_items`.

        The risk is that of the corrected labels, by the constants of fits without gold; errors that sources share are
        no finding where there is gold enough to show them.
        """
        told = self.findings if n_labels < ENOUGH_GOLD else tuple(one for one in self.findings if one.kind != "doubt")
        return replace(self, risk=risk_of(agreement, n_items), findings=told)

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


def diagnose(
    votes: Votes,
    weight: NDArray[np.float64],
    agreement: Agreement,
    *,
    class_balance: NDArray[np.float64],
    intervals: NDArray[np.float64],
    independence: NDArray[np.float64],
    vote_counts: NDArray[np.float64],
    copies: sp.csr_array[np.float64],
    check: Independence,
    objective: NDArray[np.float64],
    converged: bool,
) -> Diagnostics:
    """Summarize what is doubtful about a fit.

    Args:
        votes: U distinct rows.
        weight: [U] how many items have the row.
        agreement: of the votes with each other and with the fit.
        class_balance: [K] estimated.
        intervals: [M, 2] of the accuracies.
        independence: [M] mean share of each source's votes beside its copies.
        vote_counts: [M, K] how often each source voted for each class.
        copies: [M, M] scores.
        check: whether independence stands.
        objective: [n_iter].
        converged: whether EM converged.
    """
    shares = np.asarray(agreement.shares)
    shares = shares / shares.sum() if shares.any() else class_balance
    total = vote_counts.sum(1)
    n_items = max(float(weight.sum()), 1.0)
    names = np.asarray(votes.source_names, dtype=object)
    diagnostics = Diagnostics(
        risk=risk_of(agreement, n_items),
        unanimous_items=int(agreement.contradicted),
        unanimous_share=float(agreement.contradicted / max(agreement.agreed, 1)),
        balance_shift=float(np.abs(class_balance - shares).sum() / 2),
        worse_than_chance=tuple(names[(intervals[:, 1] < 1 / votes.n_classes) & (total > 0)]),
        constant=tuple(names[(vote_counts.max(1, initial=0) >= CONSTANT_COVERAGE * n_items) & (total > 0)]),
        silent=tuple(names[total == 0]),
        views=float(independence[total > 0].sum()),
        joint_items=int(agreement.joint),
        likelihood_gain=float(objective[-1] - objective[0]),
        excess_correlation=check.correlation,
        doubt=check.doubt,
        copies=_groups(copies, votes.source_names),
        votes_per_parameter=float(total.sum() / max(votes.n_sources * votes.n_classes, 1)),
        converged=converged,
    )
    return _with_findings(diagnostics, float(agreement.covered) / n_items, len(objective))


def risk_of(agreement: Agreement, n_items: float) -> float:
    """Probability that hard labels end more than `MARGIN` below majority vote's accuracy, on items with votes.

    A share D of the items has a hard label that is not majority vote's; there the soft labels expect to be right more
    often, by g of all N items. What is gained is taken for normal, with mean g and variance (`SHARED_ERROR` D)² + D/N:
    a part for soft labels that are wrong together, and one that more items reduce. So

        risk = Phi((-MARGIN - g) / sqrt((SHARED_ERROR D)² + D/N)), and 0 where D <= MARGIN.

    `SHARED_ERROR` was fitted to 220 problems resampled from 41 public sets (sources and items drawn at random) and 63
    simulated ones, without gold; docs/label-model.md shows how well it tells them apart.

    Args:
        agreement: of soft labels and votes.
        n_items: N.
    """
    moved, gain = float(agreement.moved) / max(n_items, 1.0), float(agreement.gain) / max(n_items, 1.0)
    if moved <= MARGIN:  # more cannot be lost
        return 0.0
    deviation = np.hypot(SHARED_ERROR * moved, np.sqrt(moved / n_items))
    return float(ndtr((-MARGIN - gain) / deviation))


def _groups(copies: sp.csr_array[np.float64], names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    alike = sp.csr_array(sp.triu(copies, 1) > 0.5)
    if not alike.nnz:
        return ()
    from scipy.sparse.csgraph import connected_components  # only here: it takes long to load, and copies are rare

    n_groups, group = connected_components(alike.astype(np.int8), directed=False)
    members = (np.flatnonzero(group == one) for one in range(n_groups))
    return tuple(tuple(names[source] for source in some) for some in members if len(some) > 1)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _with_findings(d: Diagnostics, coverage: float, n_iter: int) -> Diagnostics:
    findings: list[Finding] = []

    def find(kind: str, doubtful: bool, message: str) -> None:
        if doubtful:
            findings.append(Finding(kind, message))

    find("coverage", coverage == 0, "No item has a vote: soft labels are uniform where nothing else is known.")
    find(
        "doubt",
        coverage > 0 and d.doubt > DOUBT,
        "Sources that look right because they agree may share errors, which votes alone cannot exclude: the sources' "
        f"independence is refuted or cannot be tested (doubt {d.doubt:.2f}). Intervals of accuracies assume it, and "
        f"may miss. Label about {ENOUGH_GOLD} items, see `next_to_label(votes, {ENOUGH_GOLD})`, and fit with `gold`.",
    )
    find(
        "views",
        coverage > 0 and (d.views < VIEWS - 0.5 or d.joint_items < FEWEST_JOINT_VOTES),
        f"Too few overlapping votes: {d.views:.1f} independent sources, {d.joint_items} items with {VIEWS} votes or "
        "more. Soft labels rest on what is expected of sources in general. Add sources, or a few gold labels.",
    )
    find(
        "votes_per_parameter",
        coverage > 0 and d.votes_per_parameter < VOTES_PER_PARAMETER,
        f"Only {d.votes_per_parameter:.1f} votes per source and class: the confusion matrices are mostly what all "
        "sources have in common. Add items.",
    )
    find(
        "unanimous_share",
        d.unanimous_share > UNANIMOUS_SHARE,
        f"{d.unanimous_items} items ({100 * d.unanimous_share:.1f} %) have soft labels against votes that all agree. "
        "Look at some of them with `explain`.",
    )
    find(
        "balance_shift",
        d.balance_shift > BALANCE_SHIFT,
        f"The estimated class balance is {d.balance_shift:.2f} (total variation) away from that of the votes. Compare "
        "it with what you know of the classes.",
    )
    find(
        "worse_than_chance",
        bool(d.worse_than_chance),
        f"Worse than chance: {_listed(d.worse_than_chance)}. Their votes count against the class they name. Check them "
        "for swapped classes.",
    )
    find(
        "constant",
        bool(d.constant),
        f"Always the same vote, which tells nothing: {_listed(d.constant)}. Let them abstain, or remove them.",
    )
    find("silent", bool(d.silent), f"Never vote: {_listed(d.silent)}. Check them, or remove them.")
    find(
        "copies",
        bool(d.copies),
        "Copies of each other, counted once: " + "; ".join(_listed(group) for group in d.copies[:5]) + ".",
    )
    find(
        "excess_correlation",
        d.excess_correlation > CORRELATION,
        f"Sources err together (correlation {d.excess_correlation:.2f} beyond chance); soft labels are tempered.",
    )
    find(
        "likelihood_gain",
        coverage > 0 and d.converged and d.likelihood_gain < FLAT_GAIN,
        f"The likelihood is flat ({d.likelihood_gain:.1e} nats per item above that of the vote shares): the fit tells "
        "little beyond them.",
    )
    find(
        "converged",
        not d.converged,
        f"EM did not converge within {n_iter} iterations: raise max_iter, or sample_rows where a sample was fitted.",
    )
    return replace(d, findings=tuple(findings))

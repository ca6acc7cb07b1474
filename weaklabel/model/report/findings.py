"""What is doubtful about a fit: what is found, and the words for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import ndtr

from weaklabel.model.dependence.independence import Independence
from weaklabel.model.report.agreement import VIEWS, Agreement
from weaklabel.model.report.diagnostics import Diagnostics, Finding
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
FEW_ITEMS = 10
"""Items with votes below which nothing is said of the sources' dependence or of the fit: it would be chance."""
ENOUGH_GOLD = 20
"""Gold labels that show errors which sources share."""
MARGIN = 0.01
"""Accuracy by which hard labels may fall behind majority vote's before that counts as harm."""
COUNTED_AGAINST = "Their votes count against the class they name. Check them for swapped classes."
"""What a source worse than chance does."""
SHARED_ERROR = 0.3
"""Standard deviation of the gain per item whose hard label is not majority vote's, by errors that such items share:
fitted by maximum likelihood, see `risk_of`."""


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
    classes: Sequence[str],
    sampled: bool,
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
        classes: K names.
        sampled: whether the rows are a sample of those that the fit is of.
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
        worse_than_chance=tuple(names[intervals[:, 1] < chance_of(vote_counts, class_balance)]),
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
    unvoted = tuple(name for name, count in zip(classes, vote_counts.sum(0), strict=True) if not count)
    covered = float(agreement.covered)
    found = [*_of_votes(diagnostics, covered / n_items)]
    found += [*_of_classes(unvoted if total.any() else (), sampled), *_of_labels(diagnostics)]
    found += [*_of_sources(diagnostics), *_of_the_fit(diagnostics, covered / n_items, len(objective))]
    return replace(diagnostics, findings=tuple(_of_few_items(found, covered)))


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


def chance_of(vote_counts: NDArray[np.float64], class_balance: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] accuracy of a source whose votes tell nothing: that of a guess among the classes that get votes, or of its
    own votes dealt out at random where that is less, as for one that names a rare class. 0 where it never votes.

    Args:
        vote_counts: [M, K] how often each source voted for each class.
        class_balance: [K].
    """
    n_voted = int(np.count_nonzero(vote_counts.sum(0)))
    dealt = vote_counts @ class_balance / np.maximum(vote_counts.sum(1), 1e-9)
    return np.asarray(np.minimum(dealt, 1 / max(n_voted, 2)))


def _groups(copies: sp.csr_array[np.float64], names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    alike = sp.csr_array(sp.triu(copies, 1) > 0.5)
    if not alike.nnz:
        return ()
    from scipy.sparse.csgraph import connected_components  # only here: it takes long to load, and copies are rare

    n_groups, group = connected_components(alike.astype(np.int8), directed=False)
    members = (np.flatnonzero(group == one) for one in range(n_groups))
    return tuple(tuple(names[source] for source in some) for some in members if len(some) > 1)


def listed(names: Sequence[str], remarks: Sequence[str] = ()) -> str:
    """Five of the names, each with its remark where there are remarks, and how many more there are."""
    shown = ", ".join(f"{name!r}{remark}" for name, remark in zip_longest(names[:5], remarks[:5], fillvalue=""))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


FAR_FROM_ENOUGH = frozenset(
    {"doubt", "views", "votes_per_parameter", "balance_shift", "excess_correlation", "likelihood_gain"}
)
"""Findings that few items bring about whatever the sources are."""


def _of_few_items(found: list[Finding], covered: float) -> list[Finding]:
    """One finding in place of all those that few items bring about."""
    if not 0 < covered < FEW_ITEMS:
        return found
    message = (
        f"{covered:.0f} {'item has' if covered == 1 else 'items have'} votes, too few to tell good sources from "
        "others: soft labels rest on what is expected of sources in general. Fit on more items."
    )
    return [Finding("few_items", message), *(one for one in found if one.kind not in FAR_FROM_ENOUGH)]


def _of_votes(d: Diagnostics, coverage: float) -> Iterator[Finding]:
    """Whether there are votes enough, and whether more of them would tell more."""
    if coverage == 0:
        yield Finding("coverage", "No item has a vote: soft labels are uniform where nothing else is known.")
        return
    if d.doubt > DOUBT:
        advice = f"Label about {ENOUGH_GOLD} items, see `next_to_label(votes, {ENOUGH_GOLD})`, and fit with `gold`."
        yield Finding("doubt", doubt_in_words(d.doubt, advice))
    if d.views < VIEWS - 0.5 or d.joint_items < FEWEST_JOINT_VOTES:
        yield Finding(
            "views",
            f"Too few overlapping votes: {d.views:.1f} independent sources, {d.joint_items} items with {VIEWS} votes "
            "or more. Soft labels rest on what is expected of sources in general. Add sources, or a few gold labels.",
        )
    if d.votes_per_parameter < VOTES_PER_PARAMETER:
        yield Finding(
            "votes_per_parameter",
            f"Only {d.votes_per_parameter:.1f} votes per source and class: the confusion matrices are mostly what all "
            "sources have in common. Add items.",
        )


def doubt_in_words(doubt: float, advice: str) -> str:
    """That independence is in doubt, and what to do about it."""
    return (
        "Sources that look right because they agree may share errors, which votes alone cannot exclude: the sources' "
        f"independence is refuted or cannot be tested (doubt {doubt:.2f}). Intervals of accuracies assume it, and may "
        f"miss. {advice}"
    )


def _of_classes(unvoted: tuple[str, ...], sampled: bool) -> Iterator[Finding]:
    """Which classes nobody votes for."""
    if unvoted:
        where = " in the sample of rows that was fitted" if sampled else ""
        yield Finding(
            "class_without_votes",
            f"No source votes for {listed(unvoted)}{where}: items of such a class get other labels. Add a source that "
            "votes for it, or gold, or leave the class out.",
        )


def _of_labels(d: Diagnostics) -> Iterator[Finding]:
    """Where soft labels are far from the votes."""
    if d.unanimous_share > UNANIMOUS_SHARE:
        yield Finding(
            "unanimous_share",
            f"{d.unanimous_items} items ({100 * d.unanimous_share:.1f} %) have soft labels against votes that all "
            "agree. Look at some of them with `explain`.",
        )
    if d.balance_shift > BALANCE_SHIFT:
        yield Finding(
            "balance_shift",
            f"The estimated class balance is {d.balance_shift:.2f} (total variation) away from that of the votes. "
            "Compare it with what you know of the classes.",
        )


def _of_chance(d: Diagnostics) -> Iterator[Finding]:
    if d.worse_than_chance:
        yield Finding(
            "worse_than_chance",
            f"Worse than chance: {listed(d.worse_than_chance)}. {COUNTED_AGAINST}",
        )


def _of_sources(d: Diagnostics) -> Iterator[Finding]:
    """Which sources to look at."""
    yield from _of_chance(d)
    if d.constant:
        yield Finding(
            "constant",
            f"Always the same vote, which tells nothing: {listed(d.constant)}. Let them abstain, or remove them.",
        )
    if d.silent:
        yield Finding("silent", f"Never vote: {listed(d.silent)}. Check them, or remove them.")
    if d.copies:
        groups = "; ".join(listed(group) for group in d.copies[:5])
        yield Finding(
            "copies", f"Copies of each other, counted once: {groups}. Keep one of each, unless they are to stay."
        )
    if d.excess_correlation > CORRELATION:
        yield Finding(
            "excess_correlation",
            f"Sources err together (correlation {d.excess_correlation:.2f} beyond chance); soft labels are tempered. A "
            "source of another kind tells more than one more like these.",
        )


def _of_the_fit(d: Diagnostics, coverage: float, n_iter: int) -> Iterator[Finding]:
    """Whether EM found something."""
    if coverage > 0 and d.converged and d.likelihood_gain < FLAT_GAIN:
        yield Finding(
            "likelihood_gain",
            f"The likelihood is flat ({d.likelihood_gain:.1e} nats per item above that of the vote shares): the fit "
            "tells little beyond them. Add sources whose votes overlap with the others', or a few gold labels.",
        )
    if not d.converged:
        yield Finding(
            "converged",
            f"EM did not converge within {n_iter} iterations: raise max_iter, or sample_rows where a sample was "
            "fitted.",
        )

"""Why a soft label is what it is: contributions in log-odds that sum to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, logsumexp

from weaklabel.model.calibration.tempering import gather, soften, worth
from weaklabel.model.records import ReadOut, Rows
from weaklabel.votes import Votes


@dataclass(frozen=True, eq=False)
class Explanation:
    """Additive contributions to one item's soft label; each is in nats, and centred over the classes.

    softmax(prior + sources.sum(0) + anchor) is the soft label.
    """

    classes: tuple[str, ...]
    source_names: tuple[str, ...]
    """The V sources that voted on the item."""
    votes: NDArray[np.int32]
    """[V] their votes, as codes."""
    said: tuple[str, ...]
    """The same in words."""
    prior: NDArray[np.float64]
    """[K] of the class balance."""
    sources: NDArray[np.float64]
    """[V, K] of each vote, copies counted once, tempered."""
    anchor: NDArray[np.float64]
    """[K] of the vote shares and the uniform distribution that are mixed in."""
    probabilities: NDArray[np.float64]
    """[K] the soft label."""

    def __str__(self) -> str:
        width = max(map(len, ("class balance", "soft label", *self.source_names)))
        voted = max(map(len, ("vote", *self.said)))
        cell = max(9, *(len(name) + 1 for name in self.classes))
        lines = [f"{'':{width}}  {'vote':{voted}}" + "".join(f"{name:>{cell}}" for name in self.classes)]

        def add(name: str, vote: str, values: NDArray[np.float64], sign: str = "+") -> None:
            cells = "".join(f"{value:{sign}{cell}.3f}" for value in values)
            lines.append(f"{name:{width}}  {vote:{voted}}{cells}")

        add("class balance", "", self.prior)
        for name, vote, values in zip(self.source_names, self.said, self.sources, strict=True):
            add(name, vote, values)
        add("vote shares", "", self.anchor)
        add("soft label", "", self.probabilities, sign="")
        return "\n".join(lines)


def explain(
    votes: Votes,
    rows: Rows,
    shares: NDArray[np.float32] | None,
    how: ReadOut,
    anchor_mass: float,
    classes: tuple[str, ...],
) -> Explanation:
    """Explains the soft label of the only item of `votes`.

    Args:
        votes: one item.
        rows: the same, on the device.
        shares: [V] weight of each vote; None where all are 1.
        how: the read-out.
        anchor_mass: pseudo-votes in `rows.anchor`.
        classes: names of the classes.
    """
    gathered = gather(rows, how, anchor_mass)
    probabilities = np.asarray(soften(gathered, how), np.float64)[0]
    _, sources, labels = votes.triples()
    factor = float(worth(gathered.n_votes, how)[0, 0]) if len(sources) else 0.0
    weights = np.asarray(how.evidence, np.float64)
    if weights.ndim == 3:
        evidence = np.array([_of_symbol(weights[m], votes, code) for m, code in zip(sources, labels, strict=True)])
        evidence = evidence.reshape(-1, votes.n_classes)
    else:
        evidence = weights[sources, labels][:, None] * np.eye(votes.n_classes)[labels]
    evidence = factor * evidence * (1 if shares is None else shares[:, None])
    prior = _centred(factor * np.asarray(how.log_prior, np.float64))
    contributions = _centred(evidence)
    anchor = _centred(np.log(probabilities)) - prior - contributions.sum(0)
    return Explanation(
        classes,
        tuple(votes.source_names[source] for source in sources),
        labels,
        tuple(classes[code] if code < len(classes) else repr(votes.symbols.vote(code)) for code in labels.tolist()),
        prior,
        contributions,
        anchor,
        probabilities,
    )


def _of_symbol(weights: NDArray[np.float64], votes: Votes, code: int) -> NDArray[np.float64]:
    """[K] evidence of one vote of a source with these weights [S, K]; see sources.imprecise.soft_evidence."""
    n_classes = votes.n_classes
    first_soft = n_classes + len(votes.symbols.sets)
    if code < first_soft:
        return np.asarray(weights[code])
    p, plain = votes.symbols.soft[code - first_soft].astype(np.float64), weights[:n_classes]
    unsaid = float(entr(p / p.sum()).sum()) / np.log(n_classes)
    uniform = logsumexp(plain, axis=0) - np.log(n_classes)
    return np.asarray(logsumexp(plain, axis=0, b=p[:, None]) - unsaid * uniform)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))

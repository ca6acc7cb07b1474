"""Why a soft label is what it is: contributions in log-odds that sum to it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel._html import table
from weaklabel.model.calibration.tempering import gather_evidence, inverse_temperature, of_plain_votes, soft_labels
from weaklabel.model.gold.correction import Gold, corrected
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.copy_weights import vote_weights
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import bucket
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.records import RowVotes
from weaklabel.model.sources.candidate_sets import set_symbols
from weaklabel.model.sources.soft_votes import soft_votes
from weaklabel.votes import Votes

LEAST_PROBABILITY = 1e-30
"""Whose logarithm is still a number."""


class _Contributions:
    """How contributions are shown: a line each, and the label that they add up to."""

    classes: tuple[str, ...]
    _caption: str
    _result: str

    def _lines(self) -> list[tuple[str, str, NDArray[np.float64]]]:
        """What contributes, its vote in words, and [K] how much."""
        raise NotImplementedError

    def _label(self) -> NDArray[np.float64]:
        """[K] what they add up to."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        rows = [[name, vote, *(f"{value:+.3f}" for value in values)] for name, vote, values in self._lines()]
        rows.append([self._result, "", *(f"{p:.3f}" for p in self._label())])
        return table(self._caption, ["", "vote", *self.classes], rows)

    def __str__(self) -> str:
        contributions = self._lines()
        width = max(map(len, (self._result, *(name for name, _, _ in contributions))))
        voted = max(map(len, ("vote", *(vote for _, vote, _ in contributions))))
        cell = max(9, *(len(name) + 1 for name in self.classes))
        lines = [f"{'':{width}}  {'vote':{voted}}" + "".join(f"{name:>{cell}}" for name in self.classes)]
        shown = [(name, vote, values, "+") for name, vote, values in contributions]
        for name, vote, values, sign in [*shown, (self._result, "", self._label(), "")]:
            cells = "".join(f"{value:{sign}{cell}.3f}" for value in values)
            lines.append(f"{name:{width}}  {vote:{voted}}{cells}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Explanation(_Contributions):
    """Additive contributions to one item's soft label; each is in nats, and centred over the classes.

    softmax(prior + sources.sum(0) + vote_shares + gold) is the soft label.
    """

    classes: tuple[str, ...]
    source_names: tuple[str, ...]
    """The V sources that voted on the item."""
    votes: NDArray[np.int32]
    """[V] their votes, as codes."""
    vote_texts: tuple[str, ...]
    """The same in words."""
    prior: NDArray[np.float64]
    """[K] of the class balance."""
    sources: NDArray[np.float64]
    """[V, K] of each vote, copies counted once, tempered."""
    vote_shares: NDArray[np.float64]
    """[K] of the vote shares that are pooled with the posterior."""
    gold: NDArray[np.float64]
    """[K] of what known labels have taught; zero where there were none."""
    probabilities: NDArray[np.float64]
    """[K] the soft label."""

    _caption, _result = "Contributions to the soft label, in log-odds", "soft label"

    @property
    def said(self) -> tuple[str, ...]:
        """Deprecated: `vote_texts` by its earlier name."""
        warnings.warn("Explanation.said is called vote_texts", DeprecationWarning, stacklevel=2)
        return self.vote_texts

    @property
    def anchor(self) -> NDArray[np.float64]:
        """Deprecated: `vote_shares` by its earlier name."""
        warnings.warn("Explanation.anchor is called vote_shares", DeprecationWarning, stacklevel=2)
        return self.vote_shares

    def _lines(self) -> list[tuple[str, str, NDArray[np.float64]]]:
        of_sources = list(zip(self.source_names, self.vote_texts, self.sources, strict=True))
        lines = [("class balance", "", self.prior), *of_sources, ("vote shares", "", self.vote_shares)]
        return lines + ([("gold", "", self.gold)] if self.gold.any() else [])

    def _label(self) -> NDArray[np.float64]:
        return self.probabilities


@dataclass(frozen=True, eq=False)
class ShareExplanation(_Contributions):
    """What each source adds to the vote shares of one item: sources.sum(0), or uniform shares without a vote."""

    classes: tuple[str, ...]
    source_names: tuple[str, ...]
    """The V sources that voted on the item."""
    votes: NDArray[np.int32]
    """[V] their votes, as codes."""
    vote_texts: tuple[str, ...]
    """The same in words."""
    sources: NDArray[np.float64]
    """[V, K] one vote in V for a class, in equal shares for a candidate set, by the probabilities of a soft vote."""
    probabilities: NDArray[np.float64]
    """[K] the vote shares."""

    _caption, _result = "Contributions to the vote shares", "vote share"

    def _lines(self) -> list[tuple[str, str, NDArray[np.float64]]]:
        return list(zip(self.source_names, self.vote_texts, self.sources, strict=True))

    def _label(self) -> NDArray[np.float64]:
        return self.probabilities


def explain_share(votes: Votes, classes: tuple[str, ...]) -> ShareExplanation:
    """Explains the vote shares of the only item of `votes`; `classes` are K names."""
    _, sources, codes = votes.triples()
    of_votes = votes.symbols.distributions()[codes].astype(np.float64) / max(len(codes), 1)
    return ShareExplanation(
        classes=classes,
        source_names=tuple(votes.source_names[source] for source in sources),
        votes=codes,
        vote_texts=_vote_texts(votes, codes, classes),
        sources=of_votes,
        probabilities=of_votes.sum(0) if len(codes) else np.full(votes.n_classes, 1 / votes.n_classes),
    )


def _vote_texts(votes: Votes, codes: NDArray[np.int32], classes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(classes[code] if code < len(classes) else repr(votes.symbols.vote(code)) for code in codes.tolist())


@under_own_settings
def explain(
    votes: Votes,
    calibration: Calibration,
    copies: sp.csr_array[np.float64],
    gold: Gold | None,
    share_prior_mass: float,
    classes: tuple[str, ...],
) -> Explanation:
    """Explains the soft label of the only item of `votes`.

    Args:
        votes: one item, of the sources of the model, with its codebook.
        calibration: of the model.
        copies: [M, M] how surely sources copy each other.
        gold: what known labels have taught; None where there were none.
        share_prior_mass: pseudo-votes in vote-share priors.
        classes: names of the classes.
    """
    calibration = of_plain_votes(calibration) if votes.is_plain else calibration
    rows = build_rows(
        RowVotes(lay_out(votes, copies), soft_votes(votes, copies)),
        jnp.ones(bucket(1)),
        n_sources=votes.n_sources,
        n_classes=votes.n_classes,
        share_prior_mass=share_prior_mass,
        sets=set_symbols(votes),
    )
    evidence = gather_evidence(rows, calibration, share_prior_mass)
    soft = np.asarray(soft_labels(evidence, calibration))[:1]
    after = soft if gold is None else corrected(soft, votes, gold)
    before, probabilities = soft[0].astype(np.float64), after[0].astype(np.float64)
    _, sources, codes = votes.triples()
    factor = float(inverse_temperature(evidence.n_read, calibration)[0, 0]) if len(sources) else 0.0
    of_votes = np.zeros((len(codes), votes.n_classes))
    for place, (source, code) in enumerate(zip(sources.tolist(), codes.tolist(), strict=True)):
        of_votes[place] = calibration.sources.log_likelihood_of(source, code, votes.symbols)
    weights = vote_weights(votes, copies)
    of_votes *= factor * (1 if weights is None else weights[:, None])
    prior = _centred(factor * np.asarray(calibration.labels.log_prior, np.float64))
    contributions = _centred(of_votes)
    shares = _log_odds(before) - prior - contributions.sum(0)
    return Explanation(
        classes=classes,
        source_names=tuple(votes.source_names[source] for source in sources),
        votes=codes,
        vote_texts=_vote_texts(votes, codes, classes),
        prior=prior,
        sources=contributions,
        vote_shares=shares,
        gold=_log_odds(probabilities) - _log_odds(before),
        probabilities=probabilities,
    )


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return _centred(np.log(np.maximum(probabilities, LEAST_PROBABILITY)))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))

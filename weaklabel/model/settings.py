"""Constants of the label model."""

from __future__ import annotations

from typing import NamedTuple


class Masses(NamedTuple):
    """Pseudo-counts of each class."""

    votes: float
    """For what a confusion matrix is drawn to."""
    errors: float
    """Even ones, in the shape of errors that all sources share: one for each wrong class, or more."""


class Settings(NamedTuple):
    """Statistical constants of the model. The defaults are the ones that are measured; see docs/constants.md.

    Sources that use all classes are read generatively, P(vote | class), unipolar ones discriminatively,
    P(class | vote); sets in between get a mean.
    """

    share_prior_mass: float = 0.5
    """Pseudo-votes, spread over the classes, in the vote-share prior of a row."""
    accuracy_mean: float = 0.75
    """Accuracy that sources are expected to have, before any vote."""
    accuracy_mass: float = 5.0
    """Pseudo-votes behind that expectation, and behind the mean accuracy in each source's."""
    generative_mass: float = 8.0
    """Pseudo-votes, in each class, for a matrix of the source's accuracy and the shared shape of errors, ..."""
    generative_mass_of_cells: float = 0.1
    """... or K² times this, where that is more and independence stands."""
    floor: float = 0.5
    """Pseudo-votes, spread over the symbols, that keep P(vote | class) off zero; over the classes, P(class | vote)."""
    discriminative_mass: float = 120.0
    """Pseudo-votes of each symbol for the same matrix, where the source is read discriminatively."""
    residual_ignored: float = 0.02
    """Root mean square of residual correlations up to which independence stands; at twice as much it is refuted."""
    suspected_copy: float = 0.3
    """Copy rate from which on copies are suspected among sources too few for a test; at twice as much they are."""
    copy_rate: float = 0.6
    """Least copy rate, beyond sampling error, of sources that count as copies."""
    hold_gain: float = 6.0
    """Weight of the vote-share prior in the responsibilities of EM, for each unit of correlation of errors ..."""
    least_hold: float = 0.2
    """... at least, where independence is refuted."""
    saturation: float = 0.45
    """Correlation of errors that is assumed in the soft labels where independence is refuted: n votes are worth
    n / (1 + saturation (n - 1)) independent ones."""
    geometric_mean: float = 0.5
    """Weight of the vote shares in the soft labels of unipolar sources, a geometric mean with the posterior."""
    feature_overlap: float = 0.85
    """Share of what votes say that features hold as well, where sources are unipolar: functions of the item."""
    family_score: float = 0.5
    """How surely sources of one family are taken for copies at least, where a person names families."""
    set_mass: float = 8.0
    """Votes, in each class, behind what the confusion matrix implies of a candidate set; of sets that are less of a
    vote, more by the root of that."""
    set_coverage: float = 0.98
    """Share of candidate sets that are expected to hold the truth, before any vote; `set_mass` sets are behind it."""
    group_mass: float = 10.0
    """Items, of the balance of all, behind the class balance of a group."""
    gold_power_deviation: float = 0.25
    """Standard deviation, before gold, of the power of the posterior of the votes alone from 1, ..."""
    gold_bias_deviation: float = 0.5
    """... of the log-odds of a class, ..."""
    gold_trust_variance: float = 0.15
    """... and variance of the log-odds of a source's vote, ..."""
    gold_trust_variance_large: float = 0.1
    """... and in the large correction, ..."""
    gold_vote_variance: float = 0.01
    """... where each vote adds log-odds to each class."""
    gold_pool_temperature: float = 4.0
    """Divides cross-validated log-likelihoods in the pool of the votes alone, corrections and the best source."""
    gold_votes_mass: float = 5.0
    """Labels a class at which the votes alone weigh half a correction, before their likelihoods, ..."""
    gold_large_mass: float = 10.0
    """... and the large correction does."""
    gold_best_source: float = 0.5
    """Weight of the best source there."""

    def masses(self, n_classes: int, doubt: float) -> Masses:
        """What confusion matrices of K classes are drawn to, and how far.

        Most cells of a large matrix hold no vote, or one by chance.

        Args:
            n_classes: K.
            doubt: that sources are independent. Dependent ones have errors in common, which this would hide.
        """
        cells = (1 - doubt) * n_classes**2
        return Masses(
            votes=max(self.generative_mass, self.generative_mass_of_cells * cells),
            errors=max(float(n_classes), cells),
        )

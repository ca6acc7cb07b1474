"""Constants of the label model."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """Statistical constants of the model. The defaults are the ones that are measured; see docs/constants.md.

    Where there are two of one kind, the first is for sources that use all classes and are read generatively,
    P(vote | class), the second for unipolar ones, read discriminatively, P(class | vote); sets in between get a mean.
    """

    share_prior_mass: float = 0.5
    """Pseudo-votes, spread over the classes, in the vote-share prior of a row."""
    share_weight_generative: float = 0.1
    """Weight of the vote-share prior in the responsibilities of EM."""
    share_weight_discriminative: float = 0.25
    accuracy_mean: float = 0.75
    """Accuracy that sources are expected to have, before any vote."""
    accuracy_mass: float = 5.0
    """Pseudo-votes behind that expectation, and behind the mean accuracy in each source's."""
    error_mass: float = 4.0
    """Pseudo-errors, spread over the wrong classes, in the shape of errors that the sources share."""
    generative_mass: float = 8.0
    """Pseudo-votes, in each class, for a confusion matrix of the source's accuracy and the shared shape of errors."""
    generative_floor: float = 0.5
    """Pseudo-votes, spread over the symbols, that keep P(vote | class) off zero."""
    discriminative_mass: float = 30.0
    """Pseudo-votes of each symbol for the same matrix, where the source is read discriminatively."""
    discriminative_floor: float = 0.1
    """Pseudo-votes, spread over the classes, that keep P(class | vote) off zero."""
    prior_power_discriminative: float = 0.75
    """Power of the balance of the vote-share priors in the prior of sets that are read discriminatively, in EM, ..."""
    prior_power_calibrated: float = 0.5
    """... and in the soft labels."""
    noise_generative: float = 0.15
    """Share in which a vote may be mere noise: bounds what one vote can say, in the soft labels."""
    noise_discriminative: float = 0.2
    correlation_ignored: float = 0.01
    """Correlation of errors that may be noise."""
    correlation_full: float = 0.02
    """Correlation of errors, beyond that, from which on all safeguards are in force."""
    least_safeguard: float = 0.3
    """What stays of the safeguards where errors seem independent."""
    correlation_base: float = 0.09
    """Correlation of errors that is assumed of any sources, to the extent that safeguards are in force."""
    correlation_gain: float = 5.5
    """Correlation that is assumed for each unit of correlation measured beyond the noise."""
    correlation_few: float = 0.8
    """Correlation that is assumed over the number of sources: few tell little of their dependence."""
    design_effect_exponent: float = 0.7
    """e: the design effect of n votes is 1 + correlation * (n^e - 1) / e. Below 1, votes depend in groups rather than
    all alike."""
    untestable: float = 1.0
    """Added to 1, it divides log-likelihoods where sources are so few that independence cannot be tested."""
    prior_correlated: float = 0.25
    """Power of the estimated balance that is taken out of the prior, to the extent that safeguards are in force."""
    sharpen_discriminative: float = 1.5
    """Factor on the log-likelihood of unipolar sources in the soft labels."""
    share_mixture: float = 0.15
    """Share of the vote shares in the soft labels."""
    uniform_mixture: float = 0.04
    """Share of the uniform distribution in the soft labels."""
    decision_share_generative: float = 0.5
    """Share of the vote shares in the decision scores; half of it where no safeguards are in force."""
    decision_share_discriminative: float = 0.2
    silent_range: float = 0.7
    """Items without votes: classes within this share of the range, from the best, share the decision."""
    silent_sources: float = 2.0
    """Voting sources per class that are needed to label items without votes; one more where they are unipolar."""
    checked_votes: float = 1.0
    """Votes per source and class, on items with three votes or more, below which decisions are majority vote's."""
    family_score: float = 0.5
    """How surely sources of one family are taken for copies at least, where a person names families."""
    set_mass: float = 8.0
    """Votes, in each class, behind what the confusion matrix implies of a candidate set; of sets that are less of a
    vote, more by the root of that."""
    group_mass: float = 10.0
    """Items, of the balance of all, behind the class balance of a group."""
    gold_weight_generative: float = 5.0
    """Weight of an item with a known label in the counts."""
    gold_weight_discriminative: float = 1.0
    gold_log_temperature: float = 0.5
    """Standard deviation of the logarithm of the inverse temperature, before gold."""
    gold_share_penalty: float = 2.0
    """Log-odds against the vote shares alone, before gold."""

    def between(self, name: str, unipolarity: float) -> float:
        """The constant `name` of sources that are unipolar to this degree: a mean of its two values."""
        generative, discriminative = (getattr(self, f"{name}_{kind}") for kind in ("generative", "discriminative"))
        return float((1 - unipolarity) * generative + unipolarity * discriminative)

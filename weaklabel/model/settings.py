"""Constants of the label model."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """Constants of the model. The defaults are the ones that are measured; see docs/label-model.md.

    Where there are two of one kind, the first is for sources that use all classes and are read by recall,
    P(vote | class), the second for unipolar ones, read by precision, P(class | vote); sets in between get a mean.
    """

    anchor_mass: float = 0.5
    """Pseudo-votes, spread over the classes, in the vote shares that anchor a row."""
    hold_recall: float = 0.1
    """Share of the anchor in the responsibilities of EM."""
    hold_precision: float = 0.25
    accuracy_mean: float = 0.75
    """Accuracy that sources are expected to have, before any vote."""
    accuracy_mass: float = 5.0
    """Pseudo-votes behind that expectation, and behind the mean accuracy in each source's."""
    error_mass: float = 4.0
    """Pseudo-errors, spread over the wrong classes, in the shape of errors that the sources share."""
    recall_mass: float = 8.0
    """Pseudo-votes, in each class, for a confusion matrix of the source's accuracy and the shared shape of errors."""
    recall_floor: float = 0.5
    """Pseudo-votes, spread over the symbols, that keep P(vote | class) off zero."""
    precision_mass: float = 30.0
    """Pseudo-votes of each symbol for the same matrix, where the source is read by precision."""
    precision_floor: float = 0.1
    """Pseudo-votes, spread over the classes, that keep P(class | vote) off zero."""
    prior_precision: float = 0.75
    """Power of the anchors' balance in the prior of sets that are read by precision, in EM, ..."""
    prior_precision_read: float = 0.5
    """... and in the soft labels."""
    bound_recall: float = 0.15
    """Share in which a vote may be mere noise: bounds what one vote can say, in the soft labels."""
    bound_precision: float = 0.2
    correlation_ignored: float = 0.01
    """Correlation of errors that may be noise."""
    correlation_full: float = 0.02
    """Correlation of errors, beyond that, from which on all safeguards are in force."""
    least_safeguard: float = 0.3
    """What stays of the safeguards where errors seem independent."""
    correlation_base: float = 0.09
    """Correlation of errors that is assumed of any sources, as far as safeguards are in force."""
    correlation_gain: float = 5.5
    """Correlation that is assumed for each unit of correlation measured beyond the noise."""
    correlation_few: float = 0.8
    """Correlation that is assumed over the number of sources: few tell little of their dependence."""
    saturation: float = 0.7
    """n votes are worth n / (1 + (n^saturation - 1) / saturation times the correlation): in groups, rather than all
    alike."""
    untestable: float = 1.0
    """Factor by which the evidence shrinks, beside 1, where sources are so few that independence cannot be tested."""
    prior_correlated: float = 0.25
    """Power of the estimated balance that is taken out of the prior as far as safeguards are in force."""
    sharpen_precision: float = 1.5
    """Factor on the evidence of unipolar sources in the soft labels."""
    anchor_share: float = 0.15
    """Share of the anchor in the soft labels."""
    uniform_share: float = 0.04
    """Share of the uniform distribution in the soft labels."""
    call_anchor_recall: float = 0.5
    """Share of the anchor in the score whose largest is called; half of it where no safeguards are in force."""
    call_anchor_precision: float = 0.2
    call_margin: float = 0.02
    """Items without votes: classes within this log-evidence of the best are called alike, ..."""
    call_range: float = 0.7
    """... and classes within this share of the range of the log-evidence."""
    call_prior: float = 0.25
    """Power of the anchors' balance in the second view of silence."""
    call_sources: float = 2.0
    """Voting sources a class that are needed to call items without votes; one more where they are unipolar."""
    call_checked_votes: float = 1.0
    """Votes a source and class, on items with three votes or more, below which the call stays with majority vote."""
    family_score: float = 0.5
    """How surely sources of one family are taken for copies at least, where a person names families."""
    set_mass: float = 8.0
    """Votes, in each class, behind what the confusion matrix implies of a candidate set; of sets that are less of a
    vote, more by the root of that."""
    group_mass: float = 10.0
    """Items, of the balance of all, behind the class balance of a group."""
    gold_recall: float = 5.0
    """Weight of an item with a known label in the counts."""
    gold_precision: float = 1.0
    gold_log_sharpness: float = 0.5
    """Standard deviation of the logarithm of the sharpness, before gold."""
    gold_anchor_penalty: float = 2.0
    """Log-odds against the anchor alone, before gold."""

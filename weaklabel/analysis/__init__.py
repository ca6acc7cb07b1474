"""What people look at: how sources vote, where they disagree, how often they are right, and how alike they err."""

from weaklabel.analysis.agreement import PairwiseAgreement, pairwise_agreement
from weaklabel.analysis.dependence import EffectiveVotes, effective_votes
from weaklabel.analysis.estimates import (
    ClassRates,
    ConfidenceSequence,
    Estimate,
    estimate_accuracy,
    estimate_balance,
    estimate_difference,
    estimate_rates,
    labels_needed,
)
from weaklabel.analysis.inspection import (
    ContestedItems,
    LeaveOneOut,
    Mistakes,
    SourceConfusions,
    SourcePairs,
    contested_items,
    leave_one_source_out,
    source_confusions,
    source_pairs,
    where_wrong,
)
from weaklabel.analysis.metrics import Scores, evaluate
from weaklabel.analysis.reliability import Reliability, fleiss_kappa, krippendorff_alpha
from weaklabel.analysis.scores import ScoreTable
from weaklabel.analysis.summary import SourceSummary, conflict, coverage, overlap, source_summary

__all__ = [
    "ClassRates",
    "ConfidenceSequence",
    "ContestedItems",
    "EffectiveVotes",
    "Estimate",
    "LeaveOneOut",
    "Mistakes",
    "PairwiseAgreement",
    "Reliability",
    "ScoreTable",
    "Scores",
    "SourceConfusions",
    "SourcePairs",
    "SourceSummary",
    "conflict",
    "contested_items",
    "coverage",
    "effective_votes",
    "estimate_accuracy",
    "estimate_balance",
    "estimate_difference",
    "estimate_rates",
    "evaluate",
    "fleiss_kappa",
    "krippendorff_alpha",
    "labels_needed",
    "leave_one_source_out",
    "overlap",
    "pairwise_agreement",
    "source_confusions",
    "source_pairs",
    "source_summary",
    "where_wrong",
]

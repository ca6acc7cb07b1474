"""What people look at: how sources vote, where they disagree, how often they are right, and how alike they err."""

from weaklabel.analysis.agreement import PairwiseAgreement, pairwise_agreement
from weaklabel.analysis.dependence import EffectiveVotes, effective_votes
from weaklabel.analysis.metrics import Scores, evaluate
from weaklabel.analysis.summary import SourceSummary, conflict, coverage, overlap, source_summary

__all__ = [
    "EffectiveVotes",
    "PairwiseAgreement",
    "Scores",
    "SourceSummary",
    "conflict",
    "coverage",
    "effective_votes",
    "evaluate",
    "overlap",
    "pairwise_agreement",
    "source_summary",
]

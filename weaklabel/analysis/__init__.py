"""What people look at: how sources vote, where they disagree, and how often they are right."""

from weaklabel.analysis.metrics import Scores, evaluate
from weaklabel.analysis.summary import SourceSummary, conflict, coverage, overlap, source_summary

__all__ = ["Scores", "SourceSummary", "conflict", "coverage", "evaluate", "overlap", "source_summary"]

"""The label model: pure functions in JAX, and the objects that people hold. No I/O but save and load."""

from weaklabel.model.em.segments import FitProgress
from weaklabel.model.label_model import LabelModel
from weaklabel.model.majority_vote import MajorityVote
from weaklabel.model.report.diagnostics import ConvergenceWarning, Diagnostics, Finding
from weaklabel.model.report.explanation import Explanation, ShareExplanation

__all__ = [
    "ConvergenceWarning",
    "Diagnostics",
    "Explanation",
    "Finding",
    "FitProgress",
    "LabelModel",
    "MajorityVote",
    "ShareExplanation",
]

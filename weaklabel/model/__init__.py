"""The label model: pure functions in JAX, and the objects that people hold. No I/O but save and load."""

from weaklabel.model.diagnostics import ConvergenceWarning, Diagnostics, Finding
from weaklabel.model.explain import Explanation
from weaklabel.model.label_model import LabelModel
from weaklabel.model.majority import MajorityVote
from weaklabel.model.train import FitProgress

__all__ = ["ConvergenceWarning", "Diagnostics", "Explanation", "Finding", "FitProgress", "LabelModel", "MajorityVote"]

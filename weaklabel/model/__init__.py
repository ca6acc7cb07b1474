"""The label model: pure functions in JAX, and the objects that people hold. No I/O but save and load."""

from weaklabel.model.label_model import FitProgress, LabelModel
from weaklabel.model.majority import MajorityVote

__all__ = ["FitProgress", "LabelModel", "MajorityVote"]

"""Votes that are numbers: what each source's values say of the value of an item."""

from weaklabel.kinds.numbers.distribution import NumericDistribution
from weaklabel.kinds.numbers.numeric_model import NumericModel
from weaklabel.kinds.numbers.votes import NumericVotes

__all__ = ["NumericDistribution", "NumericModel", "NumericVotes"]

"""cleanlab's functions on multi-annotator frames and on labels beside probabilities, by this library's models.

Frames have a row an item and a column an annotator; cells are class indices, missing where an annotator said nothing.
The outputs have cleanlab's names, shapes and types. The consensus is that of `weaklabel.LabelModel`: `pred_probs` of a
classifier are its belief about each item before the votes, so they must be of items that it was not trained on.
"""

from weaklabel.adapters.cleanlab.issues import find_label_issues, get_label_quality_scores
from weaklabel.adapters.cleanlab.multiannotator import (
    convert_long_to_wide_dataset,
    get_active_learning_scores,
    get_label_quality_multiannotator,
    get_majority_vote_label,
)

__all__ = [
    "convert_long_to_wide_dataset",
    "find_label_issues",
    "get_active_learning_scores",
    "get_label_quality_multiannotator",
    "get_label_quality_scores",
    "get_majority_vote_label",
]

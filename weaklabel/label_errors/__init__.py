"""Which labels of a data set are wrong: by what other voters say, or by the probabilities of any classifier.

issues      what is found, worst first, and what to expect of looking at it
voters      the labels as one more voter beside sources
classifier  confident learning from the probabilities of a classifier
tags        several labels an item, by votes or by a classifier
"""

from weaklabel.label_errors.classifier import find_label_issues
from weaklabel.label_errors.issues import FoundErrors, LabelIssues, Suspect
from weaklabel.label_errors.tags import MultilabelIssues, TagSuspect, find_multilabel_issues, multilabel_errors
from weaklabel.label_errors.voters import label_errors

__all__ = [
    "FoundErrors",
    "LabelIssues",
    "MultilabelIssues",
    "Suspect",
    "TagSuspect",
    "find_label_issues",
    "find_multilabel_issues",
    "label_errors",
    "multilabel_errors",
]

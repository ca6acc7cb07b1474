"""Where votes come from: functions over items, and what runs them."""

from weaklabel.labeling.applier import apply
from weaklabel.labeling.failures import Failure, LabelingFunctionWarning
from weaklabel.labeling.functions import LabelingFunction, Preprocessor, labeling_function, opened_once, preprocessor
from weaklabel.labeling.rows import Row

__all__ = [
    "Failure",
    "LabelingFunction",
    "LabelingFunctionWarning",
    "Preprocessor",
    "Row",
    "apply",
    "labeling_function",
    "opened_once",
    "preprocessor",
]

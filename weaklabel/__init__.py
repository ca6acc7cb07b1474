"""Weak supervision: votes of labeling functions, prompts and people in, calibrated soft labels out.

Typical use::

    votes = apply([contains_link, asks_for_action], data)
    soft_labels = LabelModel(classes=["ham", "spam"]).fit(votes).predict_proba(votes)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weaklabel._version import __version__
from weaklabel.votes import ABSTAIN, Votes

if TYPE_CHECKING:
    from weaklabel.analysis import source_summary
    from weaklabel.labeling import LabelingFunction, apply, labeling_function, preprocessor
    from weaklabel.model import LabelModel, MajorityVote

__all__ = [
    "ABSTAIN",
    "LabelModel",
    "LabelingFunction",
    "MajorityVote",
    "Votes",
    "__version__",
    "apply",
    "labeling_function",
    "preprocessor",
    "source_summary",
]

# Loaded when first asked for, so that `import weaklabel` does not pay for JAX.
_HOMES = {
    "LabelModel": "weaklabel.model",
    "LabelingFunction": "weaklabel.labeling",
    "MajorityVote": "weaklabel.model",
    "apply": "weaklabel.labeling",
    "labeling_function": "weaklabel.labeling",
    "preprocessor": "weaklabel.labeling",
    "source_summary": "weaklabel.analysis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

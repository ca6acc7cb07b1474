"""Weak supervision: votes of labeling functions, prompts and people in, calibrated soft labels out.

Typical use::

    votes = apply([contains_link, asks_for_action], data)
    soft_labels = LabelModel(classes=["ham", "spam"]).fit(votes).predict_proba(votes)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weaklabel import _fork, _moved
from weaklabel._version import __version__
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.symbols import not_, one_of, soft

if TYPE_CHECKING:
    from weaklabel.analysis import source_summary
    from weaklabel.kinds.numbers import NumericModel
    from weaklabel.kinds.ordinal import OrdinalModel
    from weaklabel.kinds.preferences import PreferenceModel
    from weaklabel.kinds.sequences import SequenceModel
    from weaklabel.kinds.tags import TagModel
    from weaklabel.kinds.trees import Taxonomy
    from weaklabel.labeling import LabelingFunction, apply, labeling_function, preprocessor
    from weaklabel.model import LabelModel, MajorityVote
    from weaklabel.prompts import PromptFunction
    from weaklabel.side_information.bags import (
        Bags,
        at_least_one,
        class_counts,
        different_label,
        none_of,
        proportions,
        same_label,
    )
    from weaklabel.votes.chunks import VoteChunks

__all__ = [
    "ABSTAIN",
    "Bags",
    "LabelModel",
    "LabelingFunction",
    "MajorityVote",
    "NumericModel",
    "OrdinalModel",
    "PreferenceModel",
    "PromptFunction",
    "SequenceModel",
    "TagModel",
    "Taxonomy",
    "VoteChunks",
    "Votes",
    "__version__",
    "apply",
    "at_least_one",
    "class_counts",
    "different_label",
    "labeling_function",
    "none_of",
    "not_",
    "one_of",
    "preprocessor",
    "proportions",
    "same_label",
    "soft",
    "source_summary",
]

# Loaded when first asked for, so that `import weaklabel` does not pay for JAX.
_HOMES = {
    "Bags": "weaklabel.side_information.bags",
    "LabelModel": "weaklabel.model",
    "LabelingFunction": "weaklabel.labeling",
    "MajorityVote": "weaklabel.model",
    "NumericModel": "weaklabel.kinds.numbers",
    "OrdinalModel": "weaklabel.kinds.ordinal",
    "PreferenceModel": "weaklabel.kinds.preferences",
    "PromptFunction": "weaklabel.prompts",
    "SequenceModel": "weaklabel.kinds.sequences",
    "TagModel": "weaklabel.kinds.tags",
    "Taxonomy": "weaklabel.kinds.trees",
    "VoteChunks": "weaklabel.votes.chunks",
    "apply": "weaklabel.labeling",
    "at_least_one": "weaklabel.side_information.bags",
    "class_counts": "weaklabel.side_information.bags",
    "different_label": "weaklabel.side_information.bags",
    "labeling_function": "weaklabel.labeling",
    "none_of": "weaklabel.side_information.bags",
    "preprocessor": "weaklabel.labeling",
    "proportions": "weaklabel.side_information.bags",
    "same_label": "weaklabel.side_information.bags",
    "source_summary": "weaklabel.analysis",
}

_moved.install()
_fork.install()


def __getattr__(name: str) -> Any:
    if f"{__name__}.{name}" in _moved.MOVED:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Arguments that people know from other packages, answered with the name here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from weaklabel.errors import InvalidArgumentError

_VOTES = "votes are the first argument, as in fit(votes)"
_DESCENT = "EM converges by itself; LabelModel(tol=, max_iter=) says when it ends"
HINTS = {
    "L": _VOTES,
    "L_train": _VOTES,
    "L_test": _VOTES,
    "X": _VOTES,
    "cardinality": "it is n_classes=, or classes=",
    "class_balance": "a known one is prior=np.tile(class_balance, (n_items, 1))",
    "device": "JAX chooses the device",
    "l2": _DESCENT,
    "log_freq": "it is progress=",
    "lr": _DESCENT,
    "n_epochs": _DESCENT,
    "n_iter": "it is LabelModel(max_iter=)",
    "optimizer": _DESCENT,
    "prec_init": "accuracies that are known are bounds=",
    "pred_probs": "they are prior=, if of items that the classifier was not trained on",
    "progress_bar": "it is progress=",
    "return_probs": "label(votes) returns soft and hard labels",
    "true_labels": "known labels are gold=",
    "verbose": "it is fit(progress=)",
    "Y": "known labels are gold=",
    "Y_dev": "known labels are gold=",
    "y": "known labels are gold=",
}
"""By name; weaklabel.adapters takes whole scripts of other packages."""


def refuse(call: str, unknown: Mapping[str, object], known: str = "") -> NoReturn:
    """Refuses arguments that a call does not have.

    Args:
        call: what was called.
        unknown: the arguments.
        known: what to say of a name without a hint.

    Raises:
        InvalidArgumentError: always.
    """
    name = min(unknown)
    hint = HINTS.get(name, known)
    raise InvalidArgumentError(f"{call} has no argument {name!r}{hint and ': '}{hint}", field=name)

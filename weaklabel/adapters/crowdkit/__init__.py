"""crowd-kit's aggregators on frames of task, worker and label, with the label model of this library inside.

A script that was written for crowd-kit runs with another import::

    from weaklabel.adapters.crowdkit import DawidSkene, MajorityVote

    labels = DawidSkene(n_iter=100).fit_predict(df)  # a Series by task

Results are by task and worker as they stand in the frame, in the order in which they first do; labels keep their type.
`MajorityVote` and `Wawa` give crowd-kit's own numbers. `DawidSkene` and `OneCoinDawidSkene` fit `weaklabel.LabelModel`
with a confusion matrix, or one accuracy, per worker: their probabilities are calibrated, and differ from crowd-kit's.
"""

from typing import Any

from weaklabel.adapters._arguments import missing_name
from weaklabel.adapters.crowdkit.aggregators import (
    DawidSkene,
    MajorityVote,
    OneCoinDawidSkene,
    Wawa,
    alpha_krippendorff,
)

__all__ = ["DawidSkene", "MajorityVote", "OneCoinDawidSkene", "Wawa", "alpha_krippendorff"]

_INSTEAD = {
    "GLAD": "DawidSkene is the model that is here; the difficulty of items is not modelled",
    "GoldMajorityVote": "DawidSkene().fit(data, true_labels=...) learns from known labels",
    "KOS": "DawidSkene is the model that is here",
    "MACE": "DawidSkene is the model that is here; a worker who guesses has an even confusion matrix",
    "MMSR": "OneCoinDawidSkene is the nearest model that is here",
    "ZeroBasedSkill": "Wawa is the nearest that is here",
    "BradleyTerry": "votes on pairs are not aggregated here",
    "NoisyBradleyTerry": "votes on pairs are not aggregated here",
}


def __getattr__(name: str) -> Any:
    raise missing_name(__name__, name, _INSTEAD)

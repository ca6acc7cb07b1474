"""What each source votes for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.matrix import Votes


def votes_by_class(votes: Votes) -> NDArray[np.int64]:
    """[M, K] how often each source votes for each class; candidate sets and probability vectors do not count."""
    _, sources, labels = votes.triples()
    plain = labels < votes.n_classes
    place = sources[plain].astype(np.int64) * votes.n_classes + labels[plain]
    counts = np.bincount(place, minlength=votes.n_sources * votes.n_classes)
    return counts.reshape(votes.n_sources, votes.n_classes)

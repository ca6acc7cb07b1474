"""Which source model votes take."""

from __future__ import annotations

from weaklabel.model.protocols import SourceModel
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.one_coin import OneCoin

FULL_CELLS = 2**21
"""M x K x K up to which each source has a confusion matrix; above, one accuracy."""


def suitable_source_model(n_sources: int, n_classes: int) -> type[SourceModel]:
    """Confusion matrices, or one accuracy per source where they would be too large."""
    return ConfusionMatrices if n_sources * n_classes**2 <= FULL_CELLS else OneCoin

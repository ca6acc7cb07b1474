"""Families of sources that err alike, such as prompts of one language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError


def read_families(families: Mapping[str, str] | None, source_names: Sequence[str]) -> NDArray[np.int32] | None:
    """[M] number of each source's family, -1 for none; None where nothing is given.

    Raises:
        InvalidArgumentError: for a source that is not known.
    """
    if families is None:
        return None
    if not isinstance(families, Mapping):
        raise InvalidArgumentError(
            f"families must be the family by the name of the source, got {families!r}", field="families"
        )
    if not families:
        return None
    unknown = [name for name in families if name not in set(source_names)]
    if unknown:
        raise InvalidArgumentError(f"families: there is no source {unknown[0]!r}", field="families")
    number = {family: at for at, family in enumerate(dict.fromkeys(families.values()))}
    return np.array([number[families[n]] if n in families else -1 for n in source_names], np.int32)

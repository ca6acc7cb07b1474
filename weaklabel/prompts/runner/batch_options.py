"""How batches are waited for, as a record."""

from __future__ import annotations

from typing import NamedTuple


class BatchOptions(NamedTuple):
    """How batches are waited for.

    Attributes:
        poll: seconds between looks at them.
        wait: whether to wait until they end.
    """

    poll: float
    wait: bool

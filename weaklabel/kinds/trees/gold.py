"""Known nodes of a taxonomy as gold of a label model over its leaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import ABSTAIN
from weaklabel.votes.symbols import CandidateSet
from weaklabel.votes.validation import is_missing
from weaklabel.votes.vocabulary import MISSING
from weaklabel_protocol.names import label_text

Known = int | CandidateSet
"""A class, `one_of` several, or ABSTAIN where nothing is known."""


def gold_of_nodes(names: Any, vote_of: Callable[[str], Known], nodes: Collection[str]) -> Any:
    """Gold by item, in the form of the names: a list, a mapping by id, or a pandas Series with its index.

    Args:
        names: of nodes, missing where unknown.
        vote_of: the vote that the name of a node is.
        nodes: names that are there.

    Raises:
        InvalidArgumentError: for a name that is no node, with its place.
    """

    def known(at: Any, value: Any) -> Known:
        name = "" if is_missing(value) else label_text(value).strip()
        if name in nodes:
            return vote_of(name)
        if name.lower() not in MISSING:
            raise InvalidArgumentError(
                f"gold of item {at!r} is {name!r}, which is no node of the taxonomy", field="gold"
            )
        return ABSTAIN

    if isinstance(names, Mapping):
        return {at: known(at, value) for at, value in names.items()}
    if hasattr(names, "index") and hasattr(names, "items"):  # a Series
        return type(names)([known(at, value) for at, value in names.items()], index=names.index, dtype=object)
    return [known(at, value) for at, value in enumerate(names)]

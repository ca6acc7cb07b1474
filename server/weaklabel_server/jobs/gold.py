"""Gold as LabelModel.fit takes it: classes, and sets of classes that hold the true one."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import CandidateSet, Complement
from weaklabel_server.messages.side_rows import SideRows


def with_sets(gold: NDArray[np.int32], placed: Iterable[tuple[NDArray[np.int64], SideRows]]) -> NDArray[Any]:
    """[N] gold with its sets of classes.

    Args:
        gold: [N] classes, -1 where unknown, codes from K on for sets.
        placed: positions of items, and the rows that the codes are of.

    Returns:
        The same where there are no sets; else objects, what one_of and not_ make in place of codes.
    """
    objects: NDArray[Any] = gold
    for positions, rows in placed:
        if rows.gold_symbols is None or rows.gold is None:
            continue
        objects = gold.astype(object) if objects is gold else objects
        n_classes, of_code = rows.gold_symbols.n_classes, [_shorter(one) for one in rows.gold_symbols.sets]
        for at in np.flatnonzero(rows.gold >= n_classes).tolist():
            objects[positions[at]] = of_code[rows.gold[at] - n_classes]
    return objects


def is_known(gold: NDArray[Any]) -> NDArray[np.bool_]:
    """[N] whether gold [N], with sets or without, says something of each item."""
    if gold.dtype != object:
        return np.asarray(gold >= 0)
    return np.array([not isinstance(one, int) or one >= 0 for one in gold.tolist()], bool)


def _shorter(allowed: NDArray[np.bool_]) -> CandidateSet | Complement:
    """A set of classes [K] by those in it, or by the others where these are fewer."""
    if 2 * int(allowed.sum()) > len(allowed):
        return Complement(tuple(np.flatnonzero(~allowed).tolist()))
    return CandidateSet(tuple(np.flatnonzero(allowed).tolist()))

"""Codebooks: what the labels from K on of a message stand for, candidate sets and soft votes."""

from typing import NamedTuple

import numpy as np

from weaklabel.votes.symbols import Symbols, translation
from weaklabel_protocol.tensors import sets_from_tensor, sets_to_tensor, to_tensor
from weaklabel_protocol.v1 import symbols_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.tensors import read_distributions
from weaklabel_server.store.chunks import Codes


class GivenCodebook(NamedTuple):
    """A codebook as a request gives it: `n_given` entries, and a table from its labels to the codes of `symbols`."""

    symbols: Symbols
    n_given: int
    table: Codes | None  # None where labels and codes are the same

    @property
    def limit(self) -> int:
        """The first label that means nothing."""
        return self.symbols.n_classes + self.n_given

    def translate(self, labels: Codes) -> Codes:
        """Labels of the request as codes of `symbols`."""
        return labels if self.table is None else self.table[labels]


def read_codebook(message: symbols_pb2.Codebook, *, field: str, n_classes: int) -> GivenCodebook:
    """What the labels of a request from K on stand for.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    none = Symbols.empty(n_classes)
    if message.class_count not in (0, n_classes) or (message.ByteSize() and not message.class_count):
        raise invalid(f"{field}.class_count", f"the number of classes, {n_classes}, got {message.class_count}")
    sets, soft = none.sets, none.soft
    if message.HasField("candidate_sets"):
        try:
            sets = sets_from_tensor(message.candidate_sets, n_classes)
        except ValueError as error:
            raise invalid(f"{field}.candidate_sets", str(error)) from None
        if not sets.any(1).all():
            raise invalid(f"{field}.candidate_sets.data", f"set {int(np.argmin(sets.any(1)))} has no class")
    if message.HasField("soft_votes"):
        soft = read_distributions(message.soft_votes, field=f"{field}.soft_votes", n_classes=n_classes)
    if not len(sets) and not len(soft):
        return GivenCodebook(none, 0, None)
    symbols, codes = Symbols.of(sets, soft)
    return GivenCodebook(symbols, len(codes), translation(n_classes, codes))


def write_codebook(symbols: Symbols) -> symbols_pb2.Codebook | None:
    """The message of a codebook; None where it is empty."""
    if not len(symbols):
        return None
    return symbols_pb2.Codebook(
        class_count=symbols.n_classes,
        candidate_sets=sets_to_tensor(symbols.sets) if len(symbols.sets) else None,
        soft_votes=to_tensor(symbols.soft) if len(symbols.soft) else None,
    )

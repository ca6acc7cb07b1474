"""What is known of rows beside their votes, on the device: beliefs, groups, bags."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from weaklabel.model.labels.bag_layout import BagLayout, lay_out_bags
from weaklabel.model.labels.bags import bag_posterior, rows_in_bags
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.padding import single, to_device
from weaklabel.model.records import Rows
from weaklabel.side_information.items import ItemInformation


class RowInformation(NamedTuple):
    """Each part None where there is nothing."""

    offset: Float[Array, "U K"] | None = None
    """Added to the log-posterior: prior beliefs, and what features say."""
    replaces_balance: Bool[Array, " U"] | None = None
    """Rows whose offset replaces the class balance."""
    group: Int[Array, " U"] | None = None
    """Group of each row, whose class balance is its own; padding is in group 0."""
    bags: BagLayout | None = None
    """Constraints over bags of rows."""
    alone: Float[Array, "U K"] | None = None
    """Soft labels of rows without votes."""
    believed: Bool[Array, " U"] | None = None
    """Rows with a prior belief of their own: they count in EM, votes or not."""
    votes_power: Float[Array, ""] | None = None
    """Power of balance and votes in the soft labels; None for 1."""

    @classmethod
    def of(cls, items: ItemInformation, n_rows: int) -> Self | None:
        """That of items, padded to [n_rows]; None for nothing."""
        if not items.is_given:
            return None

        def on_device(values: NDArray[Any] | None) -> Array | None:
            return None if values is None else to_device(values, n_rows)

        return cls(
            offset=on_device(items.offset),
            replaces_balance=on_device(items.replaces_balance),
            group=on_device(items.group),
            bags=None if items.bags is None else lay_out_bags(items.bags, None, n_rows),
            alone=on_device(items.alone),
            believed=on_device(items.believed),
            votes_power=None if items.votes_power == 1 else single(items.votes_power),
        )

    def attach(self, rows: Rows, items: Float[Array, " U"], share_weight: float | Float[Array, ""]) -> Rows:
        """See `weaklabel.model.protocols.Information`.

        Rows without votes of which something is known take part in EM, and share priors keep to what is known of bags.
        """
        attached: Rows = _attached(self, rows, items, share_weight)
        return attached

    @property
    def has_bags(self) -> bool:
        """See `weaklabel.model.protocols.Information`."""
        return self.bags is not None

    def informs(self, voted: Bool[Array, "U 1"]) -> Bool[Array, "U 1"]:
        """See `weaklabel.model.protocols.Information`."""
        return voted if self.bags is None else voted | rows_in_bags(self.bags, voted.shape[0])[:, None]

    def soft_labels_without_votes(self, n_classes: int) -> Float[Array, "U K"] | float:
        """See `weaklabel.model.protocols.Information`."""
        return 1 / n_classes if self.alone is None else self.alone


@compiled
def _attached(
    information: RowInformation, rows: Rows, items: Float[Array, " U"], share_weight: float | Float[Array, ""]
) -> Rows:
    share_prior, informed = rows.share_prior, jnp.zeros(items.shape, bool)
    if information.alone is not None and information.believed is not None:
        informed = information.believed
        replaced = (informed & (rows.n_votes == 0))[:, None]
        share_prior = jnp.where(replaced, information.alone, share_prior)
    if information.bags is not None:
        informed = informed | rows_in_bags(information.bags, items.shape[0])
        padded = (share_prior.max(1) == 0)[:, None]  # of sparse votes, where nothing was written: no logarithm of it
        log_share = jnp.log(jnp.where(padded, 1.0, share_prior))
        share_prior = bag_posterior(log_share, information.bags).probabilities
    informed = informed & (rows.n_votes == 0) & (items > 0)
    return rows._replace(
        weight=jnp.where(informed, items, rows.weight),
        share_prior=share_prior,
        share_weight=jnp.where(informed, share_weight, rows.share_weight).astype(rows.share_weight.dtype),
        information=information,
    )

"""Side data of a fit: the rows of uploads, put in the order of the items."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.side_information.bags import Bags
from weaklabel_protocol.v1 import side_data_pb2
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.jobs.gold import is_known, with_sets
from weaklabel_server.messages.side_rows import SideRows, read_side_rows
from weaklabel_server.store import items, side_data
from weaklabel_server.store.side_data import SideKind, SideSettings
from weaklabel_server.store.votes import View

if TYPE_CHECKING:
    from weaklabel_server.messages.side_rows import Features

MAX_GROUPS_BYTES = 2_000_000
"""Of the names of groups and their class balances, which stand in the description of a model."""

Placed = list[tuple[NDArray[np.int64], SideRows]]
"""Positions of items, and the side information about them."""


def read(tx: Connection, view: View, settings: SideSettings) -> dict[str, Any]:
    """What LabelModel.fit takes beside the votes of a version, by the names of its arguments.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND; SIDE_DATA_UNSUITABLE where it names items that are not in the votes, or is
            missing for some where every item needs it.
    """
    arguments: dict[str, Any] = {
        kind.value: _MAKE[kind](_placed(tx, view, kind, side_data_id), view)
        for kind, side_data_id in settings.data.items()
    }
    if SideKind.GOLD in settings.data:
        arguments |= {"gold_error": settings.gold_error, "gold_sampling": settings.gold_sampling}
    if SideKind.GOLD_WEIGHT in settings.data:
        check_every_gold(arguments["gold"], arguments["gold_weight"])
    if settings.bounds:
        arguments["bounds"] = {one.source: (one.low, one.high) for one in settings.bounds}
    if settings.families:
        arguments["families"] = dict(settings.families)
    return arguments


def check(tx: Connection, view: View, settings: SideSettings) -> None:
    """Refuses side data that is not there or of another kind, and sources that are not in the votes.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, INVALID_FIELD.
    """
    for kind, side_data_id in settings.data.items():
        side = side_data.get(tx, view.project, side_data_id)
        if side.kind is not kind:
            raise invalid(f"side.{kind}", f"side data of kind {kind}, this is of kind {side.kind}")
    for at, bound in enumerate(settings.bounds):
        if bound.source not in view.source_names:
            raise invalid(f"side.bounds[{at}].source", f'there is no source "{bound.source}"')
    for at, source in enumerate(settings.families):
        if source not in view.source_names:
            raise invalid(f"side.families[{at}].source", f'there is no source "{source}"')


def read_gold(tx: Connection, view: View, side_data_id: str, *, field: str) -> NDArray[np.int32]:
    """[N] known labels of the items of a version, -1 elsewhere; `field` is where a request names them.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, INVALID_FIELD; SIDE_DATA_UNSUITABLE as in `read`, and for sets of classes.
    """
    gold: NDArray[np.int32] = read_one(tx, view, side_data_id, (SideKind.GOLD,), field=field)[1]
    return gold


def read_known(tx: Connection, view: View, side_data_id: str, *, field: str) -> NDArray[np.bool_]:
    """[N] whether something is known of each item of a version: its class, or a set that holds it.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, INVALID_FIELD; SIDE_DATA_UNSUITABLE as in `read`.
    """
    kind_of(tx, view, side_data_id, (SideKind.GOLD,), field=field)
    with named(field):
        return is_known(_gold(_placed(tx, view, SideKind.GOLD, side_data_id), view))


def read_one(
    tx: Connection, view: View, side_data_id: str, kinds: Sequence[SideKind], *, field: str
) -> tuple[SideKind, Any]:
    """One set of side data as LabelModel.fit would take it, of one of these kinds, and which it is.

    Labels are [N], -1 where there are none. `field` is where a request names the side data.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, INVALID_FIELD; SIDE_DATA_UNSUITABLE as in `read`, and for gold with sets of
            classes.
    """
    kind = kind_of(tx, view, side_data_id, kinds, field=field)
    with named(field):
        made = _MAKE[kind](_placed(tx, view, kind, side_data_id), view)
        if kind is SideKind.GOLD:
            _check_labels(made)
        return kind, made


def kind_of(tx: Connection, view: View, side_data_id: str, kinds: Sequence[SideKind], *, field: str) -> SideKind:
    """The kind of side data, one of these; `field` is where a request names it.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND, INVALID_FIELD.
    """
    side = side_data.get(tx, view.project, side_data_id)
    if side.kind not in kinds:
        raise invalid(field, f"side data of kind {' or '.join(kinds)}, this is of kind {side.kind}")
    return side.kind


@contextmanager
def named(field: str) -> Iterator[None]:
    """Side data that does not fit the votes, by the field of a request, in place of that of a fit."""
    try:
        yield
    except ServiceError as error:
        if error.reason is not Reason.SIDE_DATA_UNSUITABLE:
            raise
        violations = [FieldViolation(field, violation.description) for violation in error.violations]
        raise ServiceError(error.reason, str(error), violations=violations) from None


def unsuitable(kind: str, description: str) -> ServiceError:
    """Side data that does not fit the votes."""
    message = f"{kind}: {description}"
    return ServiceError(Reason.SIDE_DATA_UNSUITABLE, message, violations=[FieldViolation(f"side.{kind}", description)])


def _placed(tx: Connection, view: View, kind: SideKind, side_data_id: str) -> Placed:
    return list(pieces(tx, view, kind, side_data_id))


def pieces(
    tx: Connection, view: View, kind: SideKind, side_data_id: str
) -> Iterator[tuple[NDArray[np.int64], SideRows]]:
    """Side data of one kind, chunk by chunk, with the positions of the items.

    Raises:
        ServiceError: As `read`.
    """
    side = side_data.get(tx, view.project, side_data_id)
    for chunk in side_data.chunks(tx, side):
        message = side_data_pb2.SideRows.FromString(chunk.content)
        rows = read_side_rows(message, field="values", rows=chunk.rows, n_classes=view.n_classes)
        if rows.bags is not None:
            rows = replace(rows, bags=_by_position(tx, view, rows.bags))
            positions = np.empty(0, np.int64)
        elif chunk.item_ids is not None:
            positions = _positions(tx, view, kind, chunk.item_ids)
        elif view.project.named_items:  # which was not known when side data came before the first votes
            raise unsuitable(kind, "this project names its items: every row needs an id")
        else:
            positions = np.arange(chunk.row_offset, chunk.row_offset + chunk.rows)
            _check_inside(view, kind, positions)
        yield positions, rows


def _by_position(tx: Connection, view: View, bags: Bags) -> Bags:
    if bags.item.dtype.kind == "O":
        return replace(bags, item=_positions(tx, view, SideKind.BAGS, bags.item.tolist()))
    _check_inside(view, SideKind.BAGS, bags.item)
    return bags


def _positions(tx: Connection, view: View, kind: SideKind, item_ids: list[str]) -> NDArray[np.int64]:
    known = items.positions(tx, view.project, list(dict.fromkeys(item_ids)))
    positions = np.array([known.get(one, view.item_count) for one in item_ids], np.int64)
    if (positions >= view.item_count).any():
        item = item_ids[int(np.argmax(positions >= view.item_count))]
        raise unsuitable(kind, f'item "{item}" is not in version {view.version} of the votes')
    return positions


def _check_inside(view: View, kind: SideKind, positions: NDArray[Any]) -> None:
    if int(positions.max()) >= view.item_count or int(positions.min()) < 0:
        wrong = (positions < 0) | (positions >= view.item_count)
        item = int(positions[int(np.argmax(wrong))])
        raise unsuitable(kind, f"item {item} is not among the {view.item_count} items of version {view.version}")


def _gold(placed: Placed, view: View) -> NDArray[Any]:
    """[N] classes, -1 where unknown; objects, with what one_of and not_ make, where sets of classes are known."""
    gold = _classes(view, ((positions, rows.gold) for positions, rows in placed))
    return with_sets(gold, placed)


def _check_labels(gold: NDArray[Any]) -> None:
    """Refuses gold that holds sets of classes, where labels are needed.

    Raises:
        ServiceError: SIDE_DATA_UNSUITABLE.
    """
    if gold.dtype == object:
        item = next(at for at, one in enumerate(gold.tolist()) if not isinstance(one, int))
        raise unsuitable(SideKind.GOLD, f"of item {item} a set of classes is known: here labels are needed, as -1 else")


def _labels(placed: Placed, view: View) -> NDArray[np.int32]:
    return _classes(view, ((positions, rows.labels) for positions, rows in placed))


def _classes(view: View, given: Iterable[tuple[NDArray[np.int64], NDArray[np.int32] | None]]) -> NDArray[np.int32]:
    classes = np.full(view.item_count, -1, np.int32)
    for positions, values in given:
        assert values is not None
        classes[positions] = values
    return classes


def _gold_weight(placed: Placed, view: View) -> NDArray[np.float32]:
    weight = np.zeros(view.item_count, np.float32)
    for positions, rows in placed:
        assert rows.gold_weight is not None
        weight[positions] = rows.gold_weight
    return weight


def check_every_gold(gold: NDArray[Any], weight: NDArray[np.float32]) -> None:
    """Refuses weights [N] that leave out an item with gold [N].

    Raises:
        ServiceError: SIDE_DATA_UNSUITABLE.
    """
    missing = is_known(gold) & (weight == 0)
    if missing.any():
        item = int(np.argmax(missing))
        raise unsuitable(SideKind.GOLD_WEIGHT, f"there is none above 0 for item {item}, which has gold")


def _prior(placed: Placed, view: View) -> NDArray[np.float32]:
    prior = np.full((view.item_count, view.n_classes), np.nan, np.float32)  # without a belief
    for positions, rows in placed:
        assert rows.prior is not None
        prior[positions] = rows.prior
    return prior


def _groups(placed: Placed, view: View) -> NDArray[np.object_]:
    _check_every_item(placed, view, SideKind.GROUPS)
    values = np.concatenate([rows.groups for _, rows in placed if rows.groups is not None])
    size = sum(len(name.encode()) + 8 * view.n_classes for name in set(values.tolist()))
    if size > MAX_GROUPS_BYTES:
        raise unsuitable(
            SideKind.GROUPS, f"the class balances of all groups are {size} bytes: at most {MAX_GROUPS_BYTES}"
        )
    return values[_order(placed)]


def _features(placed: Placed, view: View) -> "Features":
    import scipy.sparse as sp

    _check_every_item(placed, view, SideKind.FEATURES)
    parts = [rows.features for _, rows in placed if rows.features is not None]
    if any(sp.issparse(part) for part in parts):
        return sp.csr_array(sp.vstack([sp.csr_array(part) for part in parts], format="csr")[_order(placed)])
    dense: NDArray[np.float32] = np.concatenate([np.asarray(part) for part in parts])[_order(placed)]
    return dense


def _bags(placed: Placed, view: View) -> list[Bags]:  # noqa: ARG001  # as the others
    return [rows.bags for _, rows in placed if rows.bags is not None]


def _order(placed: Placed) -> NDArray[np.int64]:
    """The row of each item among the rows placed."""
    return np.argsort(np.concatenate([positions for positions, _ in placed]))


def _check_every_item(placed: Placed, view: View, kind: SideKind) -> None:
    missing = np.ones(view.item_count, bool)
    for positions, _ in placed:
        missing[positions] = False
    if missing.any():
        raise unsuitable(kind, f"there are none for item {int(np.argmax(missing))}; every item needs them")


_MAKE: Mapping[SideKind, Callable[[Placed, View], Any]] = {
    SideKind.GOLD: _gold,
    SideKind.PRIOR: _prior,
    SideKind.GROUPS: _groups,
    SideKind.FEATURES: _features,
    SideKind.BAGS: _bags,
    SideKind.GOLD_WEIGHT: _gold_weight,
    SideKind.LABELS: _labels,
}

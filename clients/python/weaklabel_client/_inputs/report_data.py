"""What reports need beside votes: gold and its weights, labels of somebody, and what items are sliced by."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from weaklabel_client._inputs.slicing import slicing
from weaklabel_client._results.types import Model, SideData, Source
from weaklabel_protocol.v1 import estimates_pb2, inspection_pb2

_KINDS = {"gold": "gold", "gold_weight": "gold_weight", "labels": "labels", "others": "labels", "by": "fields"}


class Upload(NamedTuple):
    """Side data that is to be uploaded first."""

    what: str
    """Which argument it is."""
    kind: str
    values: Any
    items: tuple[str, ...] | None


class ReportData:
    """What is given to a report, and what of it has to be uploaded first.

    Args:
        items: Ids of the items of arrays.
        **given: By argument: gold, gold_weight, labels, others, by. None for what is not given.

    Raises:
        ValueError: It cannot be read.
    """

    def __init__(self, items: Iterable[str] | None, **given: Any) -> None:
        ids = None if items is None else tuple(items)
        self.names: dict[str, str] = {}
        """Of side data by argument, filled up by the driver."""
        self.uploads: list[Upload] = []
        self._labels: dict[str, estimates_pb2.GivenLabels] = {}
        self._slicing = inspection_pb2.Slicing()
        for what, values in given.items():
            if values is not None:
                self._add(what, values, ids)

    def name(self, what: str) -> str:
        """The name of side data that is an argument; empty where it is not given."""
        return self.names.get(what, "")

    def labels(self, what: str) -> estimates_pb2.GivenLabels | None:
        """Whose labels an argument names; None where it is not given."""
        if what in self.names:
            return estimates_pb2.GivenLabels(side_data=self.names[what])
        return self._labels.get(what)

    @property
    def by(self) -> inspection_pb2.Slicing | None:
        """What items are sliced by; None where nothing is given."""
        if "by" not in self.names:
            return None
        self._slicing.side_data = self.names["by"]
        return self._slicing

    def _add(self, what: str, values: Any, ids: tuple[str, ...] | None) -> None:
        kind = _KINDS[what]
        if isinstance(values, SideData):
            self.names[what] = values.name
        elif kind == "labels" and isinstance(values, str | Source | Model):
            self._labels[what] = _labels_of(values)
        elif isinstance(values, str):
            self.names[what] = values
        elif what == "by":
            found = slicing(values, ids)
            self._slicing = inspection_pb2.Slicing(fields=found.fields, numbers=found.numbers)
            self.uploads.append(Upload(what, kind, found.records, found.items))
        else:
            self.uploads.append(Upload(what, kind, values, None if isinstance(values, Mapping) else ids))


def _labels_of(given: str | Source | Model) -> estimates_pb2.GivenLabels:
    if isinstance(given, Model):
        return estimates_pb2.GivenLabels(model=given.name)
    return estimates_pb2.GivenLabels(source=given if isinstance(given, str) else given.display_name)

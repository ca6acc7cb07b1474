"""Trees of classes: a label model over the leaves, and the nodes that its soft labels stand for."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel import LabelModel, Taxonomy, Votes
from weaklabel._archive import MOST_BYTES
from weaklabel_protocol.columns import Table, Texts
from weaklabel_protocol.label_spaces import Tree
from weaklabel_server.jobs.kinds.class_votes import class_cells, item_names, read_class_votes
from weaklabel_server.jobs.kinds.kind import FitArguments, Inspection, Kind, Tables, Told, table_of


class TreeKind(Kind[LabelModel]):
    """Nodes of a tree. The table "labels" has a row an item: the deepest node above the threshold, and the likeliest of
    each level; "nodes" a probability a node. Models are fitted as those of classes are.
    """

    def __init__(self, space: Tree, classes: Sequence[str]) -> None:
        self._parents, self._classes = space.parents, tuple(classes)
        self._below = space.leaves_below()

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree, its leaves in the order of the classes."""
        return Taxonomy.from_parents(self._parents, leaves=self._classes)

    def fit(self, votes: Votes, gold: Any, arguments: FitArguments) -> LabelModel:
        raise NotImplementedError("a tree is fitted as classes are")

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> LabelModel:
        return LabelModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: LabelModel) -> str:
        raise NotImplementedError("models of trees are those of classes")

    def probe(self, model: LabelModel) -> Table:
        raise NotImplementedError("models of trees are those of classes")

    def save(self, model: LabelModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: LabelModel, votes: Votes, options: Mapping[str, Any]) -> Tables:
        return self.nodes(item_names(votes), model.predict_proba(votes), options)

    def nodes(self, items: Texts, soft: Any, options: Mapping[str, Any]) -> Tables:
        """Tables of soft labels [N, K]."""
        taxonomy = self.taxonomy
        names = taxonomy.nodes
        by_level = {
            f"level_{level}": Texts(names, taxonomy.predict(soft, level=level))
            for level in range(1, int(max(taxonomy.levels)) + 1)
        }
        node = taxonomy.predict(soft, threshold=options.get("threshold", 0.5))
        marginals = np.asarray(taxonomy.marginals(soft))
        probabilities = {f"probability_{name}": marginals[:, at].copy() for at, name in enumerate(names)}
        return {
            "labels": table_of({"item": items, "node": Texts(names, node)} | by_level),
            "nodes": table_of({"item": items} | probabilities),
        }

    def predict(self, model: LabelModel, records: Table, options: Mapping[str, Any]) -> Tables:
        return self.labels(model, read_class_votes(records, self._classes, self._below), options)

    def sources(self, model: LabelModel) -> dict[str, Any]:
        return {}

    def told(self, model: LabelModel) -> Told:
        raise NotImplementedError("a tree is fitted as classes are")

    def inspect(self, model: LabelModel) -> Inspection:
        raise NotImplementedError("models of trees are those of classes")

    def cells(self, votes: Any) -> int:
        return class_cells(votes, len(self._classes) + 2 * len(self._parents))

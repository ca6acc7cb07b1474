"""A tree of classes: which votes names of nodes are, and what soft labels of leaves say of nodes.

Shapes: N items, M sources, K leaves, T nodes; the leaves are the first K nodes, so that the index of a class and of its
node are the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.trees import decision, scores
from weaklabel.kinds.trees.gold import gold_of_nodes
from weaklabel.kinds.trees.parents import Tree, read_tree
from weaklabel.votes import ABSTAIN, Votes, label_dtype
from weaklabel.votes.conversion import over_other_classes
from weaklabel.votes.symbols import CandidateSet, one_of
from weaklabel.votes.validation import is_missing
from weaklabel.votes.vocabulary import MISSING
from weaklabel_protocol.names import label_text


class Taxonomy:
    """A tree of classes. Its leaves are the classes of a `LabelModel`; an inner node stands for one of its leaves.

    Made by `from_parents`, and never changed.

    Examples:
        >>> taxonomy = Taxonomy.from_parents({"oak": "tree", "fir": "tree", "rose": "flower", "lily": "flower"})
        >>> taxonomy.leaves, taxonomy.nodes[4:]
        (('oak', 'fir', 'rose', 'lily'), ('tree', 'flower'))
        >>> taxonomy.vote("flower")
        one_of(2, 3)

    Attributes:
        nodes: T names: the K leaves, then the inner nodes from the top down.
        leaves: K names.
        parents: the parent of each node, an index into `nodes`; -1 for a root.
        levels: [T] number of nodes above each, one more where there are several roots, under a root without a name.
        descendants: bool [T, K], whether a leaf is the node or below it.
    """

    nodes: tuple[str, ...]
    leaves: tuple[str, ...]
    parents: tuple[int, ...]
    levels: NDArray[np.int64]
    descendants: NDArray[np.bool_]
    _index: dict[str, int]

    def __init__(self) -> None:
        raise TypeError("make a taxonomy by Taxonomy.from_parents")

    @classmethod
    def from_parents(cls, parents: Any, *, leaves: Sequence[str] | None = None) -> Self:
        """A taxonomy by the parent of each node.

        Args:
            parents: a mapping from node to parent; or pairs of both; or a frame of pandas, polars or pyarrow with these
                two columns. A root has the parent None or "", or is only named as a parent. There may be several roots.
            leaves: the K names of the leaves, in the order of the class indices; where not given, all nodes without
                children, in the order in which they appear.

        Raises:
            InvalidArgumentError: for circles, a node with two parents, names that are missing, fewer than two leaves;
                and for a leaf that is unknown, named twice, or has children. It names the row, or the leaf.
        """
        return cls._of(read_tree(parents, leaves))

    @classmethod
    def _of(cls, tree: Tree) -> Self:
        self = object.__new__(cls)
        self.nodes, self.leaves, self.parents = tree.nodes, tree.nodes[: tree.n_leaves], tree.parents
        levels = np.zeros(len(tree.nodes), np.int64)
        descendants = np.zeros((len(tree.nodes), tree.n_leaves), bool)
        first = int(tree.parents.count(-1) > 1)
        for node in range(len(tree.nodes)):
            way = self.ancestors(node)
            levels[node] = len(way) - 1 + first
            if node < tree.n_leaves:
                descendants[list(way), node] = True
        levels.flags.writeable = descendants.flags.writeable = False
        self.levels, self.descendants = levels, descendants
        self._index = {name: at for at, name in enumerate(tree.nodes)}
        return self

    def to_parents(self) -> dict[str, str | None]:
        """The parent of each node, None for a root: `from_parents` makes the same taxonomy of it."""
        return {name: None if at < 0 else self.nodes[at] for name, at in zip(self.nodes, self.parents, strict=True)}

    @property
    def n_leaves(self) -> int:
        """K."""
        return len(self.leaves)

    def index(self, name: str) -> int:
        """The index of a node.

        Raises:
            InvalidArgumentError: if there is none of that name.
        """
        if name not in self._index:
            raise InvalidArgumentError(f"there is no node {name!r} in the taxonomy", field="name")
        return self._index[name]

    def ancestors(self, node: int) -> tuple[int, ...]:
        """The node and those above it, upwards."""
        way = [node]
        while (above := self.parents[way[-1]]) >= 0:
            way.append(above)
        return tuple(way)

    def names(self, nodes: ArrayLike) -> list[str | None]:
        """The names of nodes given by index; None for -1."""
        return [None if at < 0 else self.nodes[at] for at in np.asarray(nodes, np.int64).ravel().tolist()]

    # ------------------------------------------------------------------- votes

    def vote(self, name: str) -> int | CandidateSet:
        """The vote that the name of a node is, for labeling functions: a class index, `one_of` the leaves of an inner
        node, or ABSTAIN for a node above all leaves.

        Raises:
            InvalidArgumentError: if there is no such node.
        """
        leaves = np.flatnonzero(self.descendants[self.index(name)]).tolist()
        if len(leaves) == self.n_leaves:
            return ABSTAIN
        return int(leaves[0]) if len(leaves) == 1 else one_of(*leaves)

    def votes(
        self,
        votes: Any,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
        **of_frame: Any,
    ) -> Votes:
        """Votes over the leaves, out of names of nodes of any level.

        An inner node is a candidate set of its leaves; one with a single leaf is that leaf, and one above all of them
        abstains.

        Args:
            votes: [N, M] names, missing for an abstain, as an array or a list of rows; a frame of names, wide or long,
                read by `Votes.from_pandas`; or Votes over the T nodes, such as of
                `Votes.from_pandas(frame, classes=taxonomy.nodes)`.
            sources: M names; of a frame, its columns of votes.
            items: N ids, of an array.
            **of_frame: further arguments of `Votes.from_pandas`, such as `ids` and `long`.

        Raises:
            InvalidVotesError: for a name that is no node, with row and column; for Votes over other classes.
        """
        framed = hasattr(votes, "columns") or hasattr(votes, "column_names")
        if unused := [*(["items"] if framed and items is not None else []), *(() if framed else of_frame)]:
            told = "the column of ids of a frame is named by ids" if framed else "it is for frames"
            raise InvalidArgumentError(f"{unused[0]} is not known here: {told}", field=unused[0])
        if isinstance(votes, Votes):
            given = votes
        elif framed:
            columns = None if sources is None else list(sources)
            given = Votes.from_pandas(votes, classes=self.nodes, sources=columns, **of_frame)
        else:
            given = Votes.from_dense(self._codes(votes), max(len(self.nodes), 2), sources=sources, items=items)
        named = given.classes is None or given.classes == self.nodes
        if given.n_classes != len(self.nodes) or not named:
            raise InvalidVotesError(
                f"the votes are over {given.n_classes} other classes, the taxonomy has {len(self.nodes)} nodes: make "
                "them with classes=taxonomy.nodes",
                field="votes",
            )
        return over_other_classes(given, self.descendants, self.leaves)

    def gold(self, names: Any) -> Any:
        """Known nodes of any level as gold of a `LabelModel` over the leaves: an inner node is `one_of` its leaves.

        What is known only at the root says nothing, as does a missing name.

        Args:
            names: [N] names of nodes, missing where unknown; a mapping of ids of items to names, or a pandas Series,
                whose index stays.

        Raises:
            InvalidArgumentError: for a name that is no node, with its place.
        """
        return gold_of_nodes(names, self.vote, self._index)

    def _codes(self, rows: Any) -> NDArray[Any]:
        cells = [
            list(row) if isinstance(row, (Sequence, np.ndarray)) and not isinstance(row, str) else None for row in rows
        ]
        codes = np.full((len(cells), len(cells[0] or ()) if cells else 0), ABSTAIN, label_dtype(len(self.nodes)))
        for at, row in enumerate(cells):
            if row is None or len(row) != codes.shape[1]:
                raise InvalidVotesError(f"row {at} is {rows[at]!r}: {codes.shape[1]} names are expected", field="votes")
            for column, value in enumerate(row):
                name = "" if is_missing(value) else label_text(value).strip()
                if name in self._index:
                    codes[at, column] = self._index[name]
                elif name.lower() not in MISSING:
                    raise InvalidVotesError(
                        f"row {at}, column {column} is {name!r}, which is no node of the taxonomy", field="votes"
                    )
        return codes

    # ------------------------------------------------------------- reading out

    def marginals(self, soft_labels: ArrayLike) -> NDArray[np.float64]:
        """[N, T] the probability of each node: the sum over its leaves.

        Args:
            soft_labels: [N, K], as of `LabelModel.predict_proba`.

        Raises:
            InvalidArgumentError: for another shape, and for rows that are no probabilities.
        """
        return decision.read_soft_labels(soft_labels, self.n_leaves) @ self.descendants.T.astype(np.float64)

    def nodes_at(self, level: int) -> NDArray[np.int64]:
        """The nodes at a level, and the leaves above it: each leaf is below one of them.

        Args:
            level: 0 for a single root, 1 for the nodes below it, and so on.

        Raises:
            InvalidArgumentError: for a level that is not there.
        """
        deepest, top = int(self.levels.max()), int(self.levels.min())
        if isinstance(level, bool) or not isinstance(level, (int, np.integer)) or not top <= level <= deepest:
            raise InvalidArgumentError(f"level must be between {top} and {deepest}, got {level!r}", field="level")
        leaf = np.arange(len(self.nodes)) < self.n_leaves
        return np.flatnonzero((self.levels == level) | (leaf & (self.levels < level)))

    def predict(
        self, soft_labels: ArrayLike, *, level: int | None = None, threshold: float | None = None
    ) -> NDArray[np.int32]:
        """[N] the node predicted for each item, an index into `nodes`: the likeliest leaf where nothing else is said.

        With a threshold, an item that is doubtful is answered less specifically, instead of not at all (reject option:
        Chow 1970, doi:10.1109/TIT.1970.1054406; in a tree: Deng et al. 2012, doi:10.1109/CVPR.2012.6248086). If the
        probabilities are calibrated, the node predicted is right more often than the threshold says.

        Args:
            soft_labels: [N, K].
            level: the likeliest of `nodes_at(level)`; -1 where nodes are tied within 1e-6.
            threshold: in [0.5, 1): the deepest node whose probability is above it; there is one such path at most. -1
                where that is the root without a name.

        Raises:
            InvalidArgumentError: for both at once, a level or a threshold that is not there, and as in `marginals`.
        """
        if level is not None and threshold is not None:
            raise InvalidArgumentError("give a level or a threshold, not both", field="threshold")
        marginals = self.marginals(soft_labels)
        if threshold is not None:
            return decision.deepest(marginals, self.levels, self.parents, threshold)
        nodes = np.arange(self.n_leaves) if level is None else self.nodes_at(level)
        return decision.likeliest(marginals, nodes)

    def score(self, truth: Any, predicted: Any) -> dict[str, float]:
        """Hierarchical precision, recall and F1 (Kiritchenko et al. 2006, doi:10.1007/11766247_34), and accuracy.

        A node stands for itself and those above it, without a root that is above all leaves. Precision is the share of
        what was predicted that is true, recall the share of what is true that was predicted, both summed over items.

        Args:
            truth: [N] nodes, of any level, by index or name; items with -1, or a missing name, are left out.
            predicted: [N] nodes, likewise; -1 stands for the root.

        Returns:
            "hierarchical_precision", "hierarchical_recall", "hierarchical_f1"; "accuracy", the share of items whose
            node is the true one. A ratio with nothing to count is 0.

        Raises:
            InvalidArgumentError: for a node that is not there, with its place; for lengths that differ; where no truth
                is known.
        """
        true, said = (self._read_nodes(one, field) for one, field in ((truth, "truth"), (predicted, "predicted")))
        counted = ~self.descendants.all(1)
        above = np.zeros((len(self.nodes) + 1, len(self.nodes)), bool)  # the last row is of -1
        for node in range(len(self.nodes)):
            above[node, list(self.ancestors(node))] = True
        return scores.hierarchical(true, said, above & counted)

    def _read_nodes(self, nodes: Any, field: str) -> NDArray[np.int64]:
        read = np.empty(len(nodes), np.int64)
        for at, node in enumerate(nodes):
            number = node
            if is_missing(node):
                number = -1
            elif isinstance(node, str):
                number = self._index.get(node, len(self.nodes))
            if (
                isinstance(number, bool)
                or not isinstance(number, (int, np.integer))
                or not -1 <= number < len(self.nodes)
            ):
                raise InvalidArgumentError(f"{field}: entry {at} is {node!r}, which is no node", field=field)
            read[at] = number
        return read

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Taxonomy):
            return NotImplemented
        return self.leaves == other.leaves and self.to_parents() == other.to_parents()

    def __hash__(self) -> int:
        return hash((self.nodes, self.parents))

    def __repr__(self) -> str:
        return f"Taxonomy({self.n_leaves} leaves, {len(self.nodes)} nodes)"

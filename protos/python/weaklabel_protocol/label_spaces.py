"""What a label of a project is, where it is not one of its classes; and the columns of records of each space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.arrays import is_missing, place_of
from weaklabel_protocol.vote_objects import one_of

# Methods have the documentation of LabelSpace.
# ruff: noqa: D102

ITEM_NAMES = ("item", "item_id", "task", "task_id", "id")
SOURCE_NAMES = ("source", "worker", "annotator", "labeler", "judge", "rater", "source_id", "worker_id")

Role = Literal["votes", "gold", "new"]
"""Records of votes, of gold, or of what a model is to label."""


@dataclass(frozen=True, kw_only=True)
class ColumnRule:
    """What one column of records may hold."""

    names: tuple[str, ...]
    """Its name on the wire, and others that it may have in frames."""
    is_text: bool = True
    optional: bool = False
    """Whether it may be left out."""
    may_miss: bool = False
    """Whether a row may have none."""
    choices: tuple[str, ...] | None = None
    """The texts that it may hold; None for any."""
    of_set: bool = False
    """Whether its texts name what is in one record set: in another the same text names another thing."""
    whole: bool = False
    """Whether it holds whole numbers, 0 to 2^31 - 1, as int32; other numbers are float64."""
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """Its name on the wire."""
        return self.names[0]


def _text(*names: str, **more: Any) -> ColumnRule:
    return ColumnRule(names=names, **more)


def _number(*names: str, **more: Any) -> ColumnRule:
    return ColumnRule(names=names, is_text=False, **more)


_ITEM, _SOURCE = _text(*ITEM_NAMES), _text(*SOURCE_NAMES)


class LabelSpace:
    """What a label of a project is: Numbers, Tags, Preferences, Sequences, Ordinal or Tree."""

    kind: ClassVar[str]
    has_classes: ClassVar[bool] = False
    """Whether votes are votes for classes of the project, rather than records."""

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        """The columns of its records; none where it takes none of them."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": self.kind} | {one.name: getattr(self, one.name) for one in fields(cast("Any", self))}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> LabelSpace:
        """Out of `to_json`.

        Raises:
            ValueError: They are none.
        """
        given = dict(values)
        try:
            return KINDS[given.pop("kind")](**given)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{values!r:.100} is no label space: {error}") from None


@dataclass(frozen=True)
class Numbers(LabelSpace):
    """A number an item."""

    kind: ClassVar[str] = "numbers"

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        value = _number("value", "vote", "answer", "rating", "label", "score", may_miss=role != "gold")
        return (_ITEM, value) if role == "gold" else (_ITEM, _SOURCE, value)


@dataclass(frozen=True)
class Tags(LabelSpace):
    """A set of tags an item.

    Attributes:
        names: of the tags.
    """

    names: Sequence[str]
    kind: ClassVar[str] = "tags"

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _listed(self.names, "names"))

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        tag = _text("tag", "label", "class", may_miss=True, choices=tuple(self.names))
        yes = _number("yes", "value", "vote", "answer", optional=True, whole=True, high=1)
        return (_ITEM, tag) if role == "gold" else (_ITEM, _SOURCE, tag, yes)


@dataclass(frozen=True)
class Preferences(LabelSpace):
    """Which of two items is better.

    Attributes:
        ties: whether a tie is an outcome.
    """

    ties: bool = True
    kind: ClassVar[str] = "preferences"

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        pair = _text("left"), _text("right")
        winner = _text("winner", may_miss=True, choices=("left", "right", "tie") if self.ties else ("left", "right"))
        if role == "new":
            return pair
        if role == "gold":
            return (*pair, winner)
        shown = _text("shown_first", optional=True, may_miss=True, choices=("left", "right"))
        ranking = _text("ranking", optional=True, may_miss=True, of_set=True)
        return (*pair, _text("judge"), winner, shown, _number("weight", optional=True, low=0), ranking)


@dataclass(frozen=True)
class Sequences(LabelSpace):
    """Spans of the tokens of documents.

    Attributes:
        types: of spans, such as "PER".
        scheme: "BIO", "IO" or "BIOES".
    """

    types: Sequence[str]
    scheme: str = "BIO"
    kind: ClassVar[str] = "sequence"

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", _listed(self.types, "types"))
        if self.scheme not in _LETTERS:
            raise ValueError(f"scheme must be one of {', '.join(_LETTERS)}, got {self.scheme!r}")

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag "O", then those of each type."""
        return ("O", *(f"{letter}-{one}" for one in self.types for letter in _LETTERS[self.scheme]))

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        place = (
            _text("document", "document_id", "doc", *ITEM_NAMES),
            _number("tokens", "n_tokens", "length", whole=True, low=1),
            _number("start", whole=True),
            _number("end", whole=True),
            _text("type", "label", optional=True, may_miss=True, choices=tuple(self.types)),
            _text("tag", optional=True, may_miss=True, choices=self.tags),
        )
        return place if role == "gold" else (*place[:2], _text(*SOURCE_NAMES, may_miss=True), *place[2:])


@dataclass(frozen=True)
class Ordinal(LabelSpace):
    """One of the classes of the project, which have an order: the first is the lowest."""

    kind: ClassVar[str] = "ordinal"
    has_classes: ClassVar[bool] = True

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        return (_ITEM, _SOURCE, _text("label", "vote", "answer", "class")) if role == "new" else ()


@dataclass(frozen=True)
class Tree(LabelSpace):
    """One of the leaves of a tree, which are the classes of the project.

    Attributes:
        parents: the name of the node above by the name of each node; None, or no entry, for a root.
    """

    parents: Mapping[str, str | None] = field(hash=False)
    kind: ClassVar[str] = "tree"
    has_classes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "parents", dict(self.parents))

    @property
    def leaves(self) -> tuple[str, ...]:
        """Nodes that no node is below, in the order of the parents."""
        inner = {above for above in self.parents.values() if above}
        return tuple(node for node in self.parents if node not in inner)

    def leaves_below(self) -> dict[str, tuple[str, ...]]:
        """The leaves below each node, a leaf itself among them.

        Raises:
            ValueError: A node is above itself.
        """
        below: dict[str, list[str]] = {}
        for leaf in self.leaves:
            node: str | None = leaf
            for _ in range(len(self.parents) + 2):
                if not node:
                    break
                below.setdefault(node, []).append(leaf)
                node = self.parents.get(node)
            else:
                raise ValueError(f"parents: {leaf!r} is below a node that is above itself")
        return {node: tuple(leaves) for node, leaves in below.items()}

    def votes(self, nodes: Any) -> NDArray[Any]:
        """Votes for nodes, by name, as votes for leaves: of an inner node `one_of` those below it; -1 where missing.

        Raises:
            ValueError: A name is no node; the message names the place.
        """
        place = {leaf: at for at, leaf in enumerate(self.leaves)}
        votes: dict[Any, Any] = {
            node: place[node] if node in place else one_of(*(place[leaf] for leaf in below))
            for node, below in self.leaves_below().items()
        }
        given = np.asarray(nodes, object)
        made = np.full(given.shape, -1, object)
        for at, node in np.ndenumerate(given):
            if not is_missing(node):
                if node not in votes:
                    raise ValueError(f"{place_of(at)} is {node!r}, which is no node of the tree")
                made[at] = votes[node]
        return made

    def rules(self, role: Role) -> tuple[ColumnRule, ...]:
        return (_ITEM, _SOURCE, _text("label", "vote", "answer", "class", "node")) if role == "new" else ()


_LETTERS = {"BIO": "BI", "IO": "I", "BIOES": "BIES"}
KINDS: dict[str, type[LabelSpace]] = {one.kind: one for one in (Numbers, Tags, Preferences, Sequences, Ordinal, Tree)}
"""By their names on the wire."""


def _listed(names: Any, what: str) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(one, str) for one in names):
        raise ValueError(f"{what} must be a list of names, got {names!r}")
    return tuple(names)

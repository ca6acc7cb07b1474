"""Reading who is whose parent, and refusing what is no tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.validation import is_missing
from weaklabel_protocol.names import label_text


class Tree(NamedTuple):
    """A checked tree, or several: nodes, leaves first, and the index of the parent of each, -1 for none."""

    nodes: tuple[str, ...]
    n_leaves: int
    parents: tuple[int, ...]


def read_tree(parents: Any, leaves: Sequence[str] | None) -> Tree:
    """The tree that a mapping, pairs or a frame describe; arguments and errors as of `Taxonomy.from_parents`."""
    parent: dict[str, str | None] = {}
    said: dict[str, str] = {}
    for place, child, above in _pairs(parents):
        if child in said and parent[child] != above:
            raise _wrong(
                f"{place}: {child!r} is put under {_shown(above)}, and {said[child]} puts it under "
                f"{_shown(parent[child])}: a node has one parent"
            )
        if child == above:
            raise _wrong(f"{place}: {child!r} is its own parent")
        parent.setdefault(child, above)
        said.setdefault(child, place)
    for above in [one for one in parent.values() if one is not None]:
        parent.setdefault(above, None)  # only named as a parent: a root
    _refuse_circles(parent, said)
    inner = {above for above in parent.values() if above is not None}
    kept = [name for name in parent if name not in inner] if leaves is None else _read_leaves(leaves, parent, inner)
    if len(kept) < 2:
        raise _wrong(f"a taxonomy needs two leaves at least, got {len(kept)}")
    depths = {name: _depth(name, parent) for name in parent}
    nodes = (*kept, *sorted((name for name in parent if name in inner), key=depths.__getitem__))
    index = {name: at for at, name in enumerate(nodes)}
    parents_of = (parent[name] for name in nodes)
    return Tree(nodes, len(kept), tuple(-1 if one is None else index[one] for one in parents_of))


def _pairs(parents: Any) -> Iterator[tuple[str, str, str | None]]:
    """Place, node and parent, None for a root."""
    if isinstance(parents, Mapping):
        rows: Iterable[Any] = parents.items()
    elif hasattr(parents, "columns") or hasattr(parents, "column_names"):
        rows = _of_frame(parents)
    elif isinstance(parents, Iterable) and not isinstance(parents, (str, bytes)):
        rows = parents
    else:
        raise _wrong(f"a mapping, pairs or a frame are expected, got a {type(parents).__name__}")
    for at, row in enumerate(rows):
        if isinstance(row, (str, bytes)) or not isinstance(row, Sequence) or len(row) != 2:
            raise _wrong(f"row {at} is {row!r}: a pair of node and parent is expected")
        child, above = (None if is_missing(one) else label_text(one).strip() for one in row)
        if not child:
            raise _wrong(f"row {at}: the name of the node is missing")
        yield f"row {at}", child, above or None


def _of_frame(frame: Any) -> Iterable[tuple[Any, Any]]:
    names = list(frame.column_names if hasattr(frame, "column_names") else frame.columns)
    if len(names) != 2:
        raise _wrong(f"a frame of two columns is expected, node and parent; this one has {len(names)}")
    columns = [frame[name] for name in names]
    child, above = (one.to_pylist() if hasattr(one, "to_pylist") else one.to_list() for one in columns)
    return zip(child, above, strict=True)


def _refuse_circles(parent: Mapping[str, str | None], said: Mapping[str, str]) -> None:
    ends: set[str] = set()  # nodes from which the way up is known to end
    for start in parent:
        way: dict[str, None] = {}
        node: str | None = start
        while node is not None and node not in ends:
            if node in way:
                circle = [*list(way)[list(way).index(node) :], node]
                shown = " -> ".join(circle[:6]) + (" -> ..." if len(circle) > 6 else "")
                raise _wrong(f"{said[node]}: {node!r} is above itself: {shown}")
            way[node] = None
            node = parent[node]
        ends |= way.keys()


def _read_leaves(leaves: Sequence[str], parent: Mapping[str, str | None], inner: set[str]) -> list[str]:
    if isinstance(leaves, str):
        raise _wrong(f"leaves must be a list of names, got the text {leaves!r}", "leaves")
    kept = [label_text(name).strip() for name in leaves]
    for at, name in enumerate(kept):
        if name not in parent:
            raise _wrong(f"leaf {at} is {name!r}, of which the parents say nothing", "leaves")
        if name in inner:
            child = next(one for one, above in parent.items() if above == name)
            raise _wrong(f"leaf {at} is {name!r}, which is the parent of {child!r}", "leaves")
        if name in kept[:at]:
            raise _wrong(f"leaf {at}: {name!r} is named twice", "leaves")
    if left := [name for name in parent if name not in inner and name not in set(kept)]:
        raise _wrong(f"{left[0]!r} has no children and is not among the leaves", "leaves")
    return kept


def _depth(name: str, parent: Mapping[str, str | None]) -> int:
    depth, above = 0, parent[name]
    while above is not None:
        depth, above = depth + 1, parent[above]
    return depth


def _shown(name: str | None) -> str:
    return "no parent" if name is None else repr(name)


def _wrong(message: str, field: str = "parents") -> InvalidArgumentError:
    return InvalidArgumentError(f"{field}: {message}", field=field)

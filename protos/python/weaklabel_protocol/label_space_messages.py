"""Label spaces as messages. The client and the server share it."""

from weaklabel_protocol.label_spaces import LabelSpace, Numbers, Ordinal, Preferences, Sequences, Tags, Tree
from weaklabel_protocol.v1 import label_spaces_pb2

_SCHEMES = {
    label_spaces_pb2.TAGGING_SCHEME_UNSPECIFIED: "BIO",
    label_spaces_pb2.TAGGING_SCHEME_BIO: "BIO",
    label_spaces_pb2.TAGGING_SCHEME_IO: "IO",
    label_spaces_pb2.TAGGING_SCHEME_BIOES: "BIOES",
}


def to_message(space: LabelSpace | None) -> label_spaces_pb2.LabelSpace | None:
    """A label space as a message; None for classes."""
    message = label_spaces_pb2.LabelSpace()
    match space:
        case None:
            return None
        case Numbers():
            message.numbers.SetInParent()
        case Tags():
            message.tags.names.extend(space.names)
            message.tags.SetInParent()
        case Preferences():
            message.preferences.ties = space.ties
            message.preferences.SetInParent()
        case Sequences():
            message.sequence.types.extend(space.types)
            number = label_spaces_pb2.TaggingScheme.Value(f"TAGGING_SCHEME_{space.scheme}")
            message.sequence.scheme = number  # type: ignore[assignment]  # an enum is a number
        case Ordinal():
            message.ordinal.SetInParent()
        case Tree():
            for node, above in space.parents.items():
                message.tree.edges.add(node=node, parent=above or "")
            message.tree.SetInParent()
    return message


def from_message(message: label_spaces_pb2.LabelSpace) -> LabelSpace | None:
    """A message as a label space; None for one that is not set.

    Raises:
        ValueError: The scheme is unknown, or a node has two parents.
    """
    match message.WhichOneof("space"):
        case "numbers":
            return Numbers()
        case "tags":
            return Tags(tuple(message.tags.names))
        case "preferences":
            return Preferences(message.preferences.ties)
        case "sequence":
            if message.sequence.scheme not in _SCHEMES:
                raise ValueError(f"scheme: {message.sequence.scheme} is none of the contract")
            return Sequences(tuple(message.sequence.types), _SCHEMES[message.sequence.scheme])
        case "ordinal":
            return Ordinal()
        case "tree":
            parents: dict[str, str | None] = {}
            for at, edge in enumerate(message.tree.edges):
                if edge.node in parents:
                    raise ValueError(f'edges[{at}]: node "{edge.node}" stands in an edge before')
                parents[edge.node] = edge.parent or None
            return Tree(parents)
    return None

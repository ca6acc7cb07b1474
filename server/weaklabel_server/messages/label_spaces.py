"""Label spaces of new projects, checked."""

from collections.abc import Sequence

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.trees.parents import read_tree
from weaklabel_protocol import label_space_messages
from weaklabel_protocol.label_spaces import LabelSpace, Sequences, Tags, Tree
from weaklabel_protocol.v1 import label_spaces_pb2, projects_pb2
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import check_names, check_texts

MOST_TAGS = 10_000
MOST_TYPES = 1_000
MOST_NODES = 20_000
_LONGEST_TYPE = 250


def check_label_space(request: projects_pb2.CreateProjectRequest, *, max_bytes: int) -> LabelSpace | None:
    """The label space of a new project; None for classes.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    return (
        None
        if not request.HasField("label_space")
        else read_label_space(request.label_space, request.classes, field="label_space", max_bytes=max_bytes)
    )


def read_label_space(
    message: label_spaces_pb2.LabelSpace, classes: Sequence[str], *, field: str, max_bytes: int
) -> LabelSpace:
    """A label space of a project with these classes.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if message.ByteSize() > max_bytes:  # it stands in every response about the project
        raise invalid(field, f"at most {max_bytes} bytes, got {message.ByteSize()}")
    if message.WhichOneof("space") is None:
        raise invalid(field, "one of its fields must be set; of classes, leave it out")
    try:
        space = label_space_messages.from_message(message)
    except ValueError as error:
        raise invalid(f"{field}.{message.WhichOneof('space')}", str(error)) from None
    assert space is not None
    match space:
        case Tags():
            _check_some(space.names, f"{field}.tags.names", "tags", MOST_TAGS)
        case Sequences():
            _check_some(space.types, f"{field}.sequence.types", "types", MOST_TYPES)
            for at, name in enumerate(space.types):
                if len(name) > _LONGEST_TYPE or not name.strip():
                    raise invalid(f"{field}.sequence.types[{at}]", f"1 to {_LONGEST_TYPE} characters, not all blank")
        case Tree():
            _check_tree(space, classes, f"{field}.tree.edges")
    return space


def _check_some(names: Sequence[str], field: str, what: str, limit: int) -> None:
    if not names:
        raise invalid(field, f"at least one of the {what}")
    check_names(names, field=field, what=what, limit=limit)


def _check_tree(space: Tree, classes: Sequence[str], field: str) -> None:
    """Refuses what is no tree, and one whose leaves are not the classes."""
    if len(space.parents) > MOST_NODES:
        raise invalid(field, f"at most {MOST_NODES} edges, got {len(space.parents)}")
    check_texts(list(space.parents), field=field)
    check_texts([above for above in space.parents.values() if above], field=field)
    try:
        tree = read_tree(space.parents, list(classes))
    except InvalidArgumentError as error:
        raise invalid("classes" if error.field == "leaves" else field, str(error)) from None
    if list(tree.nodes[: tree.n_leaves]) != list(classes):  # names are stripped of blanks there
        raise invalid("classes", "the leaves of the tree, without blanks around their names")

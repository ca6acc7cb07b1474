"""The kinds by label space. Loading this loads the library with JAX."""

from typing import Any

from weaklabel_protocol.label_spaces import Numbers, Ordinal, Preferences, Sequences, Tags, Tree
from weaklabel_server.jobs.kinds.kind import Kind
from weaklabel_server.jobs.kinds.numbers import NumberKind
from weaklabel_server.jobs.kinds.ordinal import OrdinalKind
from weaklabel_server.jobs.kinds.preferences import PreferenceKind
from weaklabel_server.jobs.kinds.sequences import SequenceKind
from weaklabel_server.jobs.kinds.tags import TagKind
from weaklabel_server.jobs.kinds.trees import TreeKind
from weaklabel_server.store.projects import Project


def kind_of(project: Project) -> Kind[Any]:
    """The kind of a project with a label space."""
    match project.label_space:
        case Numbers():
            return NumberKind()
        case Tags() as tags:
            return TagKind(tags)
        case Preferences() as preferences:
            return PreferenceKind(preferences)
        case Sequences() as sequences:
            return SequenceKind(sequences)
        case Ordinal():
            return OrdinalKind(project.classes)
        case Tree() as tree:
            return TreeKind(tree, project.classes)
    raise AssertionError(f"{project.label_space} is no label space")

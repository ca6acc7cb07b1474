"""Projects and sources as messages, and times."""

from google.protobuf.timestamp_pb2 import Timestamp

from weaklabel_protocol import label_space_messages
from weaklabel_protocol.v1 import projects_pb2, sources_pb2
from weaklabel_server import names
from weaklabel_server.store.projects import Project
from weaklabel_server.store.sources import Source


def timestamp(micros: int) -> Timestamp:
    """A time of the store as a message."""
    made = Timestamp()
    made.FromMicroseconds(micros)
    return made


def project_message(project: Project) -> projects_pb2.Project:
    """A project as a message."""
    return projects_pb2.Project(
        name=names.format_project(project.project_id),
        classes=project.classes,
        item_count=project.item_count,
        source_count=project.source_count,
        votes_version=project.votes_version,
        create_time=timestamp(project.create_time),
        label_space=label_space_messages.to_message(project.label_space),
        followed=project.followed,
    )


def source_message(project: Project, source: Source) -> sources_pb2.Source:
    """A source as a message."""
    return sources_pb2.Source(
        name=names.format_source(project.project_id, source.display_name),
        display_name=source.display_name,
        votes_version=source.last_version,
        create_time=timestamp(source.create_time),
    )

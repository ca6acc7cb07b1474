"""Resource names: projects/{project}, and below it sources/, models/, operations/, sideData/, recordSets/ and
promptRuns/ with ids.
"""

from typing import NamedTuple
from urllib.parse import quote, unquote

from weaklabel_server.errors import invalid

LATEST = "latest"
"""The model id that stands for the newest model of a project."""


class ChildName(NamedTuple):
    """A parsed name of something in a project."""

    project_id: str
    child_id: str


def format_project(project_id: str) -> str:
    """The resource name of a project."""
    return f"projects/{project_id}"


def format_source(project_id: str, display_name: str) -> str:
    """The resource name of a source; its display name may hold any character, so it is percent-encoded."""
    return f"projects/{project_id}/sources/{quote(display_name, safe='')}"


def format_model(project_id: str, model_id: str) -> str:
    """The resource name of a model."""
    return f"projects/{project_id}/models/{model_id}"


def format_operation(project_id: str, operation_id: str) -> str:
    """The resource name of an operation."""
    return f"projects/{project_id}/operations/{operation_id}"


def format_side_data(project_id: str, side_data_id: str) -> str:
    """The resource name of side data."""
    return f"projects/{project_id}/sideData/{side_data_id}"


def format_record_set(project_id: str, record_set_id: str) -> str:
    """The resource name of a record set."""
    return f"projects/{project_id}/recordSets/{record_set_id}"


def format_prompt_run(project_id: str, run_id: str) -> str:
    """The resource name of a run of prompts."""
    return f"projects/{project_id}/promptRuns/{run_id}"


def parse_project(name: str, *, field: str) -> str:
    """The project id in a name; `field` is where the name stood, for the error.

    Raises:
        ServiceError: INVALID_ARGUMENT when it is not the name of a project.
    """
    match name.split("/"):
        case ["projects", project_id] if project_id and "\0" not in name:
            return project_id
    raise invalid(field, f'"{name}" is not of the form "projects/{{project}}"')


def parse_source(name: str, *, field: str) -> ChildName:
    """The project id and the display name in the name of a source. Raises as parse_project."""
    project_id, encoded = _parse_child(name, "sources", field=field)
    try:
        display_name = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise invalid(field, f'the last segment of "{name}" is not percent-encoded UTF-8') from None
    if "\0" in display_name:
        raise invalid(field, f'the last segment of "{name}" has the character NUL')
    return ChildName(project_id, display_name)


def parse_model(name: str, *, field: str) -> ChildName:
    """The project id and the model id, which may be LATEST, in the name of a model. Raises as parse_project."""
    return _parse_child(name, "models", field=field)


def parse_operation(name: str, *, field: str) -> ChildName:
    """The project id and the operation id in the name of an operation. Raises as parse_project."""
    return _parse_child(name, "operations", field=field)


def parse_side_data(name: str, *, field: str) -> ChildName:
    """The project id and the id in the name of side data. Raises as parse_project."""
    return _parse_child(name, "sideData", field=field)


def parse_record_set(name: str, *, field: str) -> ChildName:
    """The project id and the id in the name of a record set. Raises as parse_project."""
    return _parse_child(name, "recordSets", field=field)


def parse_prompt_run(name: str, *, field: str) -> ChildName:
    """The project id and the id in the name of a run of prompts. Raises as parse_project."""
    return _parse_child(name, "promptRuns", field=field)


def _parse_child(name: str, collection: str, *, field: str) -> ChildName:
    match name.split("/"):
        case ["projects", project_id, segment, child_id] if (
            segment == collection and project_id and child_id and "\0" not in name
        ):
            return ChildName(project_id, child_id)
    form = f"projects/{{project}}/{collection}/{{{collection.removesuffix('s')}}}"
    raise invalid(field, f'"{name}" is not of the form "{form}"')

"""Resource names: what users write for short, and what the contract wants."""

import urllib.parse

from weaklabel_protocol.names import check_text


def project_name(project: str) -> str:
    """Returns "projects/spam" for "spam" as for itself."""
    check_text("project", project)
    name = project.removeprefix("projects/")
    if not name or "/" in name:
        raise ValueError(f'project: "{project}" is neither a project id nor "projects/ID"')
    return f"projects/{name}"


def model_name(project: str, model: str | None) -> str:
    """Returns "projects/spam/models/ID" for "ID" as for itself; None is the newest."""
    if model is None:
        return f"{project_name(project)}/models/latest"
    return _name_within(project, "models", model, field="model", expected="a model id")


def source_name(project: str, source: str) -> str:
    """Returns "projects/spam/sources/NAME" for the name that the uploader gave, percent-encoded."""
    if not source:
        raise ValueError("source: the name is empty")
    check_text("source", source)
    return f"{project_name(project)}/sources/{urllib.parse.quote(source, safe='')}"


def side_data_name(project: str, side_data: str) -> str:
    """Returns "projects/spam/sideData/ID" for "ID" as for itself."""
    return _name_within(project, "sideData", side_data, field="side_data", expected="an id")


def record_set_name(project: str, record_set: str) -> str:
    """Returns "projects/spam/recordSets/ID" for "ID" as for itself."""
    return _name_within(project, "recordSets", record_set, field="record_set", expected="an id")


def prompt_run_name(project: str, run: str) -> str:
    """Returns "projects/spam/promptRuns/ID" for "ID" as for itself."""
    return _name_within(project, "promptRuns", run, field="run", expected="an id")


def operation_name(name: str) -> str:
    """Checks "projects/spam/operations/ID"."""
    check_text("operation", name)
    match name.split("/"):
        case ["projects", project, "operations", operation] if project and operation:
            return name
    raise ValueError(f'operation: "{name}" is not "projects/PROJECT/operations/ID"')


def _name_within(project: str, collection: str, name: str, *, field: str, expected: str) -> str:
    """The full name of a resource of a project, of its id or its full name."""
    prefix = f"{project_name(project)}/{collection}/"
    check_text(field, name)
    resource_id = name.removeprefix(prefix)
    if not resource_id or "/" in resource_id:
        raise ValueError(f'{field}: "{name}" is neither {expected} nor "{prefix}ID"')
    return prefix + resource_id

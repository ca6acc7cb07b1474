"""Resource names: what users write for short, and what the contract wants."""

import urllib.parse


def check_text(what: str, name: str) -> None:
    """Refuses a lone surrogate, which no UTF-8 can carry.

    Raises:
        ValueError: There is one; the message begins with what the name is.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} is {name!r}: character {error.start} is half of a surrogate pair") from None


def project_name(project: str) -> str:
    """Returns "projects/spam" for "spam" as for itself."""
    check_text("project", project)
    name = project.removeprefix("projects/")
    if not name or "/" in name:
        raise ValueError(f'project: "{project}" is neither a project id nor "projects/ID"')
    return f"projects/{name}"


def model_name(project: str, model: str | None) -> str:
    """Returns "projects/spam/models/m1" for "m1" as for itself; None is the newest."""
    parent = project_name(project)
    if model is None:
        return f"{parent}/models/latest"
    check_text("model", model)
    name = model.removeprefix(f"{parent}/models/")
    if not name or "/" in name:
        raise ValueError(f'model: "{model}" is neither a model id nor "{parent}/models/ID"')
    return f"{parent}/models/{name}"


def source_name(project: str, source: str) -> str:
    """Returns "projects/spam/sources/NAME" for the name that the uploader gave, percent-encoded."""
    if not source:
        raise ValueError("source: the name is empty")
    check_text("source", source)
    return f"{project_name(project)}/sources/{urllib.parse.quote(source, safe='')}"


def side_data_name(project: str, side_data: str) -> str:
    """Returns "projects/spam/sideData/ID" for "ID" as for itself."""
    check_text("side_data", side_data)
    name = side_data.removeprefix(f"{project_name(project)}/sideData/")
    if not name or "/" in name:
        raise ValueError(f'side_data: "{side_data}" is neither an id nor "{project_name(project)}/sideData/ID"')
    return f"{project_name(project)}/sideData/{name}"


def prompt_run_name(project: str, run: str) -> str:
    """Returns "projects/spam/promptRuns/ID" for "ID" as for itself."""
    check_text("run", run)
    name = run.removeprefix(f"{project_name(project)}/promptRuns/")
    if not name or "/" in name:
        raise ValueError(f'run: "{run}" is neither an id nor "{project_name(project)}/promptRuns/ID"')
    return f"{project_name(project)}/promptRuns/{name}"


def operation_name(name: str) -> str:
    """Checks "projects/spam/operations/ID"."""
    check_text("operation", name)
    match name.split("/"):
        case ["projects", project, "operations", operation] if project and operation:
            return name
    raise ValueError(f'operation: "{name}" is not "projects/PROJECT/operations/ID"')

"""Checks of request fields that several services share."""

import re
import uuid
from collections.abc import Sequence

from weaklabel_server import names
from weaklabel_server.errors import Faults, invalid
from weaklabel_server.store.requests import Repeatable

MAX_NAME = 255
MAX_DIGEST_BYTES = 64
MAX_SOURCES = 10_000
MAX_CLASSES = 10_000

_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_new_project(
    project_id: str, classes: Sequence[str], *, field: str, max_bytes: int, has_classes: bool = True
) -> None:
    """Refuses an id that no project can have, and classes that it cannot have, of `max_bytes` in all."""
    faults = Faults()
    _add_project_id_fault(faults, project_id, field)
    if not has_classes:
        if classes:
            faults.add("classes", f"a project of this label space has none, got {len(classes)}")
    elif not 2 <= len(classes) <= MAX_CLASSES:
        faults.add("classes", f"2 to {MAX_CLASSES} classes, got {len(classes)}")
    add_name_faults(faults, classes, field="classes")
    size = sum(len(name.encode()) for name in classes)
    if size > max_bytes:  # they stand in every response about the project
        faults.add("classes", f"names of {max_bytes} bytes in all, got {size}")
    faults.raise_if_any()


def check_project_id(project_id: str, *, field: str) -> None:
    """Refuses an id that no project can have."""
    faults = Faults()
    _add_project_id_fault(faults, project_id, field)
    faults.raise_if_any()


def _add_project_id_fault(faults: Faults, project_id: str, field: str) -> None:
    if not _PROJECT_ID.fullmatch(project_id):
        faults.add(
            field,
            f'1 to 63 characters out of a-z, 0-9, "-" and "_", beginning with a letter or a digit; got "{project_id}"',
        )


def check_request_id(request: Repeatable) -> None:
    """Refuses a request id that is not a UUID4, and puts it in lower case; an empty one counts as none."""
    if request.request_id:
        check_uuid(request.request_id, field="request_id", version=4)
        # A UUID means the same in either case, so that a call repeated in the other one is a repetition.
        request.request_id = request.request_id.lower()


def check_uuid(value: str, *, field: str, version: int | None = None) -> None:
    """Refuses what is not a UUID in its usual form, such as 0f8fad5b-d9cb-469f-a165-70867728950e."""
    try:
        parsed = uuid.UUID(value)
    except ValueError:
        parsed = None
    kind = "UUID" if version is None else f"UUID{version}"
    if parsed is None or str(parsed) != value.lower() or version not in (None, parsed.version):
        raise invalid(field, f'"{value}" is not a {kind} such as {uuid.uuid4()}')


def check_digest(digest: bytes, *, field: str) -> None:
    """Refuses a digest that is too long."""
    if len(digest) > MAX_DIGEST_BYTES:
        raise invalid(field, f"at most {MAX_DIGEST_BYTES} bytes, got {len(digest)}")


def side_data_id(name: str, project_id: str, *, field: str) -> str:
    """The id in the name of side data; refuses that of another project."""
    parent, child_id = names.parse_side_data(name, field=field)
    if parent != project_id:
        raise invalid(field, f'side data of "{names.format_project(project_id)}", got "{name}"')
    return child_id


def record_set_id(name: str, project_id: str, *, field: str) -> str:
    """The id in the name of a record set; refuses that of another project."""
    parent, child_id = names.parse_record_set(name, field=field)
    if parent != project_id:
        raise invalid(field, f'a record set of "{names.format_project(project_id)}", got "{name}"')
    return child_id


def check_names(given: Sequence[str], *, field: str, what: str, limit: int) -> None:
    """Refuses names that are empty, too long or not distinct, and more than `limit` of them."""
    if len(given) > limit:
        raise invalid(field, f"at most {limit} {what}, got {len(given)}")
    faults = Faults()
    add_name_faults(faults, given, field=field)
    faults.raise_if_any()


def check_texts(given: Sequence[str], *, field: str) -> None:
    """Refuses names that are empty or too long, or hold NUL."""
    faults = Faults()
    for index, name in enumerate(given):
        _add_fault(faults, name, f"{field}[{index}]")
    faults.raise_if_any()


def add_name_faults(faults: Faults, given: Sequence[str], *, field: str) -> None:
    """Notes names that are empty, too long or not distinct, or hold NUL."""
    seen: dict[str, int] = {}
    for index, name in enumerate(given):
        if not _add_fault(faults, name, f"{field}[{index}]") and seen.setdefault(name, index) != index:
            faults.add(f"{field}[{index}]", f'"{name}" stands at index {seen[name]} already')


def _add_fault(faults: Faults, name: str, field: str) -> bool:
    wrong = not 1 <= len(name) <= MAX_NAME or "\0" in name
    if wrong:
        faults.add(field, f"1 to {MAX_NAME} characters without NUL, got {len(name)} characters")
    return wrong

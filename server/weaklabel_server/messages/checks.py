"""Checks of request fields that several services share."""

import uuid
from collections.abc import Sequence

from weaklabel_server import names
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.store.requests import Repeatable

MAX_NAME = 255
MAX_DIGEST_BYTES = 64
MAX_SOURCES = 10_000


class Faults:
    """Collects faults, so that one error names all of them."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Notes one fault."""
        self._violations.append(FieldViolation(field, description))

    def raise_if_any(self) -> None:
        """Raises:
        ServiceError: INVALID_FIELD with all faults noted.
        """
        if self._violations:
            message = "; ".join(f"{fault.field}: {fault.description}" for fault in self._violations)
            raise ServiceError(Reason.INVALID_FIELD, message, violations=self._violations)


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


def check_names(given: Sequence[str], *, field: str, what: str, limit: int) -> None:
    """Refuses names that are empty, too long or not distinct, and more than `limit` of them."""
    if len(given) > limit:
        raise invalid(field, f"at most {limit} {what}, got {len(given)}")
    faults = Faults()
    add_name_faults(faults, given, field=field)
    faults.raise_if_any()


def add_name_faults(faults: Faults, given: Sequence[str], *, field: str) -> None:
    """Notes names that are empty, too long or not distinct, or hold NUL."""
    seen: dict[str, int] = {}
    for index, name in enumerate(given):
        if not 1 <= len(name) <= MAX_NAME or "\0" in name:
            faults.add(f"{field}[{index}]", f"1 to {MAX_NAME} characters without NUL, got {len(name)} characters")
        elif seen.setdefault(name, index) != index:
            faults.add(f"{field}[{index}]", f'"{name}" stands at index {seen[name]} already')

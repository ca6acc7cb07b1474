"""Changes that whoever runs the server makes, in the audit trail."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from weaklabel_server.caller import Caller, acting


@contextmanager
def noted(method: str, resource: str) -> Iterator[Caller]:
    """A block whose changes stand in the audit trail under the user of this machine."""
    by = Caller(token_name="admin", peer=f"local:{_user()}", method=method, resource=resource)  # noqa: S106
    with acting(by) as caller:
        yield caller


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"  # a container may have no name for its user

"""Who calls: the rights of a token, and the call that runs now, so that the store can say who changed what."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Scope(IntEnum):
    """What a token may do in a project; each scope holds those below it."""

    READ = 1
    """See it, and predict with its models."""
    WRITE = 2
    """Upload, fit, run prompts, cancel; delete what is in it."""
    ADMIN = 3
    """Create and delete the project itself."""


class Grant(NamedTuple):
    """One scope on some projects: "*" for all, "team-a-*" for those whose id begins so, else one id."""

    scope: Scope
    projects: str

    def holds_for(self, project_id: str) -> bool:
        """Whether it is about this project."""
        prefix, star, _ = self.projects.partition("*")
        return project_id.startswith(prefix) if star else project_id == prefix


@dataclass(frozen=True)
class Rights:
    """What a caller may do, and where."""

    grants: tuple[Grant, ...]

    def on(self, project_id: str) -> Scope | None:
        """The highest scope on a project; None for a project that the caller must not know of."""
        return max((grant.scope for grant in self.grants if grant.holds_for(project_id)), default=None)

    @property
    def everywhere(self) -> bool:
        """Whether there is no project that the caller must not know of."""
        return any(grant.projects == "*" for grant in self.grants)


ALL_RIGHTS = Rights((Grant(Scope.ADMIN, "*"),))


@dataclass
class Caller:
    """A call and who makes it. Without tokens everybody has all rights, and no id."""

    token_id: str = ""
    token_name: str = ""
    rights: Rights = ALL_RIGHTS
    peer: str = ""
    method: str = ""
    resource: str = ""
    request_id: str = ""
    recorded: bool = False
    """Whether what the call changes stands in the audit trail already."""


peer: ContextVar[str] = ContextVar("weaklabel_peer", default="")
"""Where the call that runs comes from. gRPC can be asked for it at the beginning of a call only."""

_current: ContextVar[Caller | None] = ContextVar("weaklabel_caller", default=None)


def current() -> Caller | None:
    """Who makes the call that runs; None for what the server does by itself."""
    return _current.get()


def set_current(caller: Caller | None) -> None:
    """Says who makes the call that runs in this task, and in the threads that it waits for."""
    _current.set(caller)


@contextmanager
def acting(caller: Caller) -> Iterator[Caller]:
    """Runs a block in the name of a caller."""
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)

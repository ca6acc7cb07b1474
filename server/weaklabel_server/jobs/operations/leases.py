"""Which operations this server runs, where several servers may share the database.

A server that runs an operation is its owner until it ends it, gives it back, or is taken for dead: its beat, which it
counts up in the store, has not changed for `lease_seconds` of the watcher's own time. Only the owner may end an
operation, which is checked in the transaction that ends it: each ends once, whoever is slow or wrongly taken for dead.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import ServiceError
from weaklabel_server.store import identity, operations, replicas
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import NotOwnedError, Operation, Progress, PromptProgress, Stage

log = logging.getLogger(__name__)


class Leases:
    """The operations that this server owns. Its methods block, and may be called from any thread."""

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        self.replica_id = uuid.uuid4().hex
        self._database = database
        self._lease_seconds = lease_seconds
        # By replica, its beat and when it was seen first, in time.monotonic().
        self._seen: dict[str, tuple[int, float]] = {}
        # Ends of which the store has no note yet: it refused them.
        self._ends: dict[str, Operation] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Takes over what servers before this one did not end, where no other can be running."""
        if not self._database.shared:
            self._database.transact(replicas.forget_others, self.replica_id)
        else:
            self._database.transact(replicas.beat, self.replica_id)

    def begin(self, operation: Operation) -> int | None:
        """Becomes the owner: returns the count of starts, or None where there is nothing to do."""
        if self.ended(operation.operation_id) is not None:
            return None
        return self._database.transact(operations.begin, operation, self.replica_id)

    def release(self, operation: Operation) -> None:
        """Gives back an operation, to be run again."""
        self._database.transact(operations.release, operation, self.replica_id)

    def succeed(
        self, operation: Operation, keep: Callable[[Connection], str | None], progress: Progress | PromptProgress
    ) -> bool:
        """Ends an operation with its result; returns False where a cancellation came first.

        Raises:
            NotOwnedError: This server is not its owner any more.
        """
        return self._database.transact(operations.succeed, operation, self.replica_id, keep, progress)

    def fail(self, operation: Operation, error: ServiceError, progress: Progress | PromptProgress) -> None:
        """Ends an operation with an error, whatever the store says: what it refuses is written when it is back.

        Raises:
            NotOwnedError: This server is not its owner any more.
        """
        ended = replace(
            operation,
            done=True,
            error=error.to_status().SerializeToString(),
            progress=progress.at(Stage.DONE),
            end_time=now_micros(),
        )
        try:
            self._note(ended)
        except NotOwnedError:
            raise
        except Exception:
            log.exception("the end of operation %s is noted in the store later", operation.operation_id)
            with self._lock:
                self._ends[operation.operation_id] = ended

    def ended(self, operation_id: str) -> Operation | None:
        """An operation that has ended although the store has no note of it yet."""
        return self._ends.get(operation_id)

    def ended_ids(self) -> frozenset[str]:
        """The ids of those operations."""
        return frozenset(self._ends)

    def note_ends(self) -> bool:
        """Notes in the store the ends that it refused; returns whether none is left."""
        for operation_id, ended in list(self._ends.items()):
            try:
                self._note(ended)
            except NotOwnedError:  # its project was deleted meanwhile
                pass
            except (ServiceError, SQLAlchemyError) as error:
                log.warning("the end of operation %s is not in the store yet: %s", operation_id, error)
                return False
            with self._lock:
                del self._ends[operation_id]
        return True

    def beat(self, running: Sequence[tuple[Operation, Progress | PromptProgress]]) -> list[Operation]:
        """Says in the store that this server lives, and how far its operations are; returns all that are not done."""

        def beat(tx: Connection) -> None:
            replicas.beat(tx, self.replica_id)
            for operation, progress in running:
                operations.save_progress(tx, operation, progress)
            identity.advance(tx)

        self._database.transact(beat)
        return self.unfinished()

    def unfinished(self) -> list[Operation]:
        """All operations that are not done; those of dead replicas are free."""
        with self._database.read() as tx:
            found = operations.list_unfinished(tx)
            beats = replicas.beats(tx)
        dead = self._dead(beats, {operation.owner for operation in found})
        if dead:
            log.warning("taking over what the replicas %s ran: they are gone", ", ".join(sorted(dead)))
            self._database.transact(replicas.forget, dead)
            found = [replace(one, owner="") if one.owner in dead else one for one in found]
        return found

    def stop(self) -> None:
        """Says that this server has ended, so that nobody waits for its beat."""
        try:
            self._database.transact(replicas.forget, [self.replica_id])
        except (ServiceError, SQLAlchemyError) as error:
            log.warning("the end of this replica is not noted in the store: %s", error)

    def _note(self, ended: Operation) -> None:
        assert ended.error is not None
        self._database.transact(operations.fail, ended, self.replica_id, ended.error, ended.progress)

    def _dead(self, beats: dict[str, int], owners: set[str]) -> set[str]:
        """The replicas whose beat has not changed for as long as a lease."""
        now = time.monotonic()
        others = (beats.keys() | owners) - {"", self.replica_id}
        self._seen = {one: self._seen[one] for one in others if one in self._seen}
        dead = set()
        for one in others:
            beat = beats.get(one, 0)
            last = self._seen.get(one)
            if last is None or last[0] != beat:
                self._seen[one] = (beat, now)
            elif now - last[1] > self._lease_seconds:
                dead.add(one)
        return dead

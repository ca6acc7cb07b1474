"""Small predictions of one model that come at the same time, computed as one.

A prediction of one row takes as long as one of a hundred: it is threads that wait for each other, and programs that are
called. So what comes while one runs is collected, and is run together when it ends. Nobody waits for others to come.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar

from weaklabel_server.errors import Reason, ServiceError

Q = TypeVar("Q")
A = TypeVar("A")

MOST_ROWS = 1024
"""Of one batch: more would keep those that wait longer than it saves."""


class _Waiting(NamedTuple, Generic[Q, A]):
    request: Q
    rows: int
    answer: "asyncio.Future[A]"


class Batches(Generic[Q, A]):
    """Collects requests by a key, and answers those of one key together. Used on the event loop only."""

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A | Exception]], threads: Executor) -> None:
        """Runs nothing yet.

        Args:
            answer: Answers requests of one key, in their order, each with what it would be answered with alone; what is
                an exception is raised where the request was made. It blocks, and runs in a thread.
            threads: Where.
        """
        self._answer = answer
        self._threads = threads
        self._waiting: dict[str, deque[_Waiting[Q, A]]] = {}  # by key, of which a batch runs

    def runs(self, key: str) -> bool:
        """Whether requests of a key are being answered."""
        return key in self._waiting

    async def ask(self, key: str, request: Q, rows: int) -> A:
        """Answers a request of so many rows.

        Raises:
            Exception: What the request was answered with; DEADLINE_PASSED when the threads are closed.
        """
        begins = key not in self._waiting
        waiting = _Waiting(request, rows, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, deque()).append(waiting)
        if begins:
            try:
                await asyncio.sleep(0)  # what has come with it asks, too
            except asyncio.CancelledError:
                waiting.answer.cancel()
                raise
            finally:
                self._run(key)
        answer: A = await waiting.answer
        return answer

    def _run(self, key: str) -> None:
        """Runs the next batch of a key in a thread, if there is one."""
        batch = self._next(self._waiting[key])
        if not batch:
            del self._waiting[key]
            return
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._threads, self._answer, [one.request for one in batch])
        except RuntimeError:  # the server ends
            for one in (*batch, *self._waiting.pop(key)):
                _give(one, ServiceError(Reason.DEADLINE_PASSED, "the server ends"))
            return
        running.add_done_callback(lambda ended: self._end(key, batch, ended))

    def _end(
        self,
        key: str,
        batch: Sequence[_Waiting[Q, A]],
        ended: "asyncio.Future[Sequence[A | Exception]]",
    ) -> None:
        if ended.cancelled():
            answers: Sequence[A | Exception] = [ServiceError(Reason.DEADLINE_PASSED, "the server ends")] * len(batch)
        elif isinstance(error := ended.exception(), Exception):
            answers = [error] * len(batch)
        else:
            answers = ended.result()
        for one, answer in zip(batch, answers, strict=True):
            _give(one, answer)
        self._run(key)

    @staticmethod
    def _next(waiting: deque[_Waiting[Q, A]]) -> list[_Waiting[Q, A]]:
        batch: list[_Waiting[Q, A]] = []
        rows = 0
        while waiting and (not batch or rows + waiting[0].rows <= MOST_ROWS):
            one = waiting.popleft()
            if not one.answer.done():  # its client has gone
                batch.append(one)
                rows += one.rows
        return batch


def _give(one: "_Waiting[Q, A]", answer: "A | Exception") -> None:
    if one.answer.done():
        return
    if isinstance(answer, Exception):
        one.answer.set_exception(answer)
    else:
        one.answer.set_result(answer)

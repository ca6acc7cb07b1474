"""The engine that runs labeling functions in worker processes.

Workers are spawned, not forked: forking a process that has threads, as JAX and many a library start, may deadlock it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling.evaluate import Evaluator, Part
from weaklabel.labeling.functions import LabelingFunction

_LARGEST_CHUNK = 256  # items; a round trip costs well under a millisecond
_CHUNKS_A_WORKER = 8  # at least, where there are so many items, so that workers end together
_WAITING_A_WORKER = 4  # chunks in flight, so that neither workers wait nor the data piles up

_setting: bytes = b""  # in a worker: the pickled functions, and how they are evaluated
_evaluate: Evaluator | None = None


def run(
    functions: Sequence[LabelingFunction],
    items: Iterable[Any],
    *,
    n_jobs: int,
    n_items: int | None,
    n_classes: int | None,
    stop_at_errors: bool,
    keep_failures: bool,
) -> Generator[Part, None, None]:
    """Evaluate the items in `n_jobs` processes; the parts come in the order of the items.

    Raises:
        InvalidArgumentError: if a function or an item cannot be pickled, or a function not found by a worker.
        StoppedError: if a function fails and errors stop the run.
        LabelingFunctionError: if a worker ends.
    """
    _refuse_to_run_in_a_starting_worker()
    setting = _pickle_functions(functions, (n_classes, stop_at_errors, keep_failures))
    size = _LARGEST_CHUNK if n_items is None else -(-n_items // (n_jobs * _CHUNKS_A_WORKER))
    size = min(max(size, 1), _LARGEST_CHUNK)
    n_workers = n_jobs if n_items is None else min(n_jobs, max(-(-n_items // size), 1))
    pool = ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"), _start_worker, (setting,))
    waiting: deque[Future[Part]] = deque()
    rest = iter(items)
    first = 0
    try:
        while chunk := list(islice(rest, size)):
            waiting.append(pool.submit(_evaluate_chunk, _pickle_chunk(chunk, first), first))
            first += len(chunk)
            if len(waiting) >= n_jobs * _WAITING_A_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise LabelingFunctionError(
            'a worker process ended. Either the script calls apply outside of `if __name__ == "__main__":`, which '
            "n_jobs needs, because every worker imports the script; or the worker was killed, ran out of memory or "
            "crashed in native code"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _refuse_to_run_in_a_starting_worker() -> None:
    """Ends a worker that came here by importing a script which calls `apply` outside of the __main__ guard.

    The process that started the worker then says what is wrong, once; an exception here would add a traceback a worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself finds out
        raise SystemExit(1)


def count_jobs(n_jobs: int) -> int:
    """The number of processes asked for; -1 stands for one a core that this process may use.

    Raises:
        InvalidArgumentError: unless it is -1 or at least 1.
    """
    if n_jobs == -1:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs < 1:
        raise InvalidArgumentError(f"n_jobs must be at least 1, or -1 for all cores, got {n_jobs}", field="n_jobs")
    return n_jobs


def _pickle_functions(functions: Sequence[LabelingFunction], how: tuple[int | None, bool, bool]) -> bytes:
    for function in functions:
        try:
            pickle.dumps(function)
        except Exception as error:
            raise InvalidArgumentError(
                f"labeling function {function.name!r} cannot be sent to worker processes: {error}. Define it, its "
                "preprocessors and its resources at the top level of a module, or use n_jobs=1",
                field="functions",
            ) from error
    return pickle.dumps((functions, how))  # in one go, so that a shared preprocessor stays one object


def _pickle_chunk(chunk: list[Any], first: int) -> bytes:
    try:
        return pickle.dumps(chunk, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise InvalidArgumentError(
            f"items {first} to {first + len(chunk) - 1} cannot be sent to worker processes: {error}. Use n_jobs=1",
            field="data",
        ) from error


def _start_worker(setting: bytes) -> None:
    global _setting
    _setting = setting
    # Ctrl-C reaches every process of the terminal; a worker just ends, without a traceback of its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _evaluate_chunk(chunk: bytes, first: int) -> Part:
    global _evaluate
    if _evaluate is None:
        _evaluate = _load_evaluator()
    return _evaluate(pickle.loads(chunk), first)  # noqa: S301  # made by this process's parent


def _load_evaluator() -> Evaluator:
    # Here and not in _start_worker: an exception there would reach the caller as a broken pool, without its reason.
    try:
        functions, (n_classes, stop_at_errors, keep_failures) = pickle.loads(_setting)  # noqa: S301  # likewise
    except Exception as error:
        raise InvalidArgumentError(
            f"labeling functions cannot be loaded in a worker process: {error}. Define them in a module that can be "
            "imported, not in a notebook or at the prompt, or use n_jobs=1",
            field="functions",
        ) from error
    return Evaluator(functions, n_classes, stop_at_errors=stop_at_errors, keep_failures=keep_failures)

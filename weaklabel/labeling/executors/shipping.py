"""What engines on many machines share: functions go to each worker once, and parts come back as bytes.

Workers find out neither where in the data their items stand nor what other workers have seen: parts count items from 0,
and whoever receives them, in the order of the items, shifts them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from types import ModuleType
from typing import Any

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.evaluate import Evaluator, Part, Setting
from weaklabel.labeling.failures import StoppedError
from weaklabel.labeling.functions import LabelingFunction, Preprocessor
from weaklabel.labeling.rows import read_items

LARGEST_CHUNK = 1024
"""Items that are evaluated in one go, or sent together."""
CHUNKS_A_WORKER = 8
"""At least, where there are so many items, so that workers end together."""


def packed(functions: Sequence[LabelingFunction], setting: Setting, cloudpickle: ModuleType) -> bytes:
    """Functions as bytes: by the name of their module, or whole where workers cannot import it, as `__main__`.

    Args:
        functions: M.
        setting: how they are evaluated.
        cloudpickle: of the engine.

    Raises:
        InvalidArgumentError: if a function, or what it uses, cannot be pickled.
    """
    whole = {"__main__", *cloudpickle.list_registry_pickle_by_value()}

    class Pickler(cloudpickle.Pickler):  # type: ignore[name-defined, misc]
        def reducer_override(self, obj: Any) -> Any:
            # A decorated function stands in its own place in the module, which cloudpickle does not look through.
            if isinstance(obj, (LabelingFunction, Preprocessor)) and obj.__module__ in whole:
                return obj._by_parts()
            return super().reducer_override(obj)

    def dumped(what: Any) -> bytes:
        file = io.BytesIO()
        Pickler(file).dump(what)
        return file.getvalue()

    for function in functions:
        try:
            dumped(function)
        except Exception as error:
            raise InvalidArgumentError(
                f"labeling function {function.name!r} cannot be sent to workers: {error}. What cannot be pickled, as "
                "connections, can be opened by each worker: resources={'name': opened_once(function, ...)}",
                field="functions",
            ) from error
    return dumped((tuple(functions), setting))  # in one go, so that what functions share stays one object


def chunk_size(n_items: int | None, n_workers: int) -> int:
    """Items that are sent together."""
    if n_items is None:
        return LARGEST_CHUNK
    return min(max(-(-n_items // (n_workers * CHUNKS_A_WORKER)), 1), LARGEST_CHUNK)


def chunks_of(items: Iterable[Any], size: int, cloudpickle: ModuleType) -> Iterator[bytes]:
    """Items as bytes, so many at a time.

    Raises:
        InvalidArgumentError: for items that cannot be pickled.
    """
    rest, first = iter(items), 0
    while chunk := list(islice(rest, size)):
        try:
            yield cloudpickle.dumps(chunk)
        except Exception as error:
            raise InvalidArgumentError(
                f"items {first} to {first + len(chunk) - 1} cannot be sent to workers: {error}", field="data"
            ) from error
        first += len(chunk)


def evaluate_chunk(shipped: bytes, chunk: bytes) -> bytes:
    """In a worker: the part of a chunk, as bytes."""
    return _evaluated(shipped, lambda: pickle.loads(chunk))  # noqa: S301  # made by the program that runs the functions


def evaluate_table(shipped: bytes, table: Any) -> bytes:
    """In a worker: the part of an Arrow table or batch, as bytes."""
    return _evaluated(shipped, lambda: list(read_items(table).items))


@lru_cache(maxsize=1)
def _loaded(shipped: bytes) -> tuple[tuple[LabelingFunction, ...], Setting]:
    """The functions, once a worker."""
    try:
        functions, setting = pickle.loads(shipped)  # noqa: S301  # likewise
    except Exception as error:
        raise InvalidArgumentError(
            f"labeling functions cannot be loaded by a worker: {error}. Their module must be importable there",
            field="functions",
        ) from error
    return functions, setting


def _evaluated(shipped: bytes, items: Any) -> bytes:
    try:
        functions, setting = _loaded(shipped)
        # A new one each time: it remembers which functions have failed, and the next part may be an earlier one.
        part = Evaluator(functions, **setting._asdict())(items(), 0)
    except (StoppedError, InvalidArgumentError) as error:
        return pickle.dumps((error, _that_travels(error.__cause__)))
    return pickle.dumps((part, None), pickle.HIGHEST_PROTOCOL)


def _that_travels(cause: BaseException | None) -> bytes | None:
    """An exception as bytes; None for one that does not survive pickling."""
    with suppress(Exception):
        data = pickle.dumps(cause)
        pickle.loads(data)  # noqa: S301  # made here
        return data
    return None


def received(parts: Iterable[bytes]) -> Generator[Part, None, None]:
    """Parts in the order of the items, by their positions in all of the data.

    Raises:
        StoppedError: if a function failed and errors stop the run.
        InvalidArgumentError: if a worker could not load the functions.
    """
    first = 0
    for data in parts:
        part, cause = pickle.loads(data)  # noqa: S301  # made by the workers of this program
        if isinstance(part, StoppedError):
            failure = replace(part.failure, item=part.failure.item + first)
            raise StoppedError(failure) from _loaded_cause(cause)
        if isinstance(part, Exception):
            raise part from _loaded_cause(cause)
        yield part._replace(failures=[replace(one, item=one.item + first) for one in part.failures])
        first += len(part.codes)


def _loaded_cause(data: bytes | None) -> BaseException | None:
    with suppress(Exception):  # its class may be known to the worker only
        cause: BaseException | None = None if data is None else pickle.loads(data)  # noqa: S301  # likewise
        return cause
    return None

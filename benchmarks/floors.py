"""What the machine allows: one read of the votes, a copy of memory, and one E-step as plain numpy does it best."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulate import Problem

BLOCK = 8192  # rows whose float32 [rows, K] stays in cache


def e_step_plain(votes: NDArray[np.int8], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, K] posteriors as one would first write it: a lookup and a sum a source, over whole columns."""
    out = np.zeros((len(votes), table.shape[2]), np.float32)
    for m in range(len(table)):
        out += table[m][votes[:, m] + 1]
    out -= out.max(1, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(1, keepdims=True)
    return out


def e_step_take(votes: NDArray[np.int8], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, row block by row block; the table holds log-likelihoods, [M, S + 1, K]."""
    out = np.zeros((len(votes), table.shape[2]), np.float32)
    evidence = np.empty((BLOCK, table.shape[2]), np.float32)
    for start in range(0, len(votes), BLOCK):
        block = out[start : start + BLOCK]
        codes = np.ascontiguousarray(votes[start : start + BLOCK].T).astype(np.intp) + 1
        found = evidence[: len(block)]
        for m in range(len(table)):
            np.take(table[m], codes[m], axis=0, out=found, mode="clip")  # other modes go through a copy
            block += found
        _softmax(block)
    return out


def e_step_by_class(votes: NDArray[np.int8], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, [K, rows] while it is added up, so that each lookup is of scalars; best for few classes."""
    n_classes = table.shape[2]
    columns = np.ascontiguousarray(table.transpose(0, 2, 1))
    out = np.empty((len(votes), n_classes), np.float32)
    evidence = np.empty(BLOCK, np.float32)
    for start in range(0, len(votes), BLOCK):
        codes = np.ascontiguousarray(votes[start : start + BLOCK].T).astype(np.intp) + 1
        total = np.zeros((n_classes, codes.shape[1]), np.float32)
        found = evidence[: codes.shape[1]]
        for m in range(len(table)):
            for k in range(n_classes):
                np.take(columns[m, k], codes[m], out=found, mode="clip")
                total[k] += found
        out[start : start + BLOCK] = total.T
        _softmax(out[start : start + BLOCK])
    return out


def e_step_product(votes: NDArray[np.int8], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same by matrix products of the votes, one-hot, a class at a time."""
    out = np.empty((len(votes), table.shape[2]), np.float32)
    for start in range(0, len(votes), BLOCK):
        codes = votes[start : start + BLOCK]
        block = out[start : start + BLOCK]
        block[:] = 0
        for k in range(table.shape[1] - 1):
            block += (codes == k).astype(np.float32) @ table[:, k + 1]
        _softmax(block)
    return out


def e_step_sums(problem: Problem, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same from triples: a lookup a vote, and sums over the votes of an item."""
    assert problem.triples is not None
    items, sources, labels = problem.triples
    evidence = table[sources, labels + 1]
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    out = np.zeros((problem.n_items, table.shape[2]), np.float32)
    out[items[starts]] = np.add.reduceat(evidence, starts, axis=0)
    _softmax(out)
    return out


def e_step_bincount(problem: Problem, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, a weighted count of the items a class."""
    assert problem.triples is not None
    items, sources, labels = problem.triples
    cell = sources.astype(np.intp) * table.shape[1] + labels + 1
    flat = table.reshape(-1, table.shape[2])
    sums = [np.bincount(items, flat[:, k][cell], problem.n_items) for k in range(table.shape[2])]
    out = np.stack(sums, axis=1).astype(np.float32)
    _softmax(out)
    return out


def _softmax(block: NDArray[np.float32]) -> None:
    """In place, over the last axis. Column by column where they are few: a reduction over a short axis is slow."""
    n_classes = block.shape[1]
    if n_classes > 16:
        block -= block.max(1, keepdims=True)
        np.exp(block, out=block)
        block /= block.sum(1, keepdims=True)
        return
    highest = block[:, 0].copy()
    for k in range(1, n_classes):
        np.maximum(highest, block[:, k], out=highest)
    block -= highest[:, None]
    np.exp(block, out=block)
    total = block[:, 0].copy()
    for k in range(1, n_classes):
        total += block[:, k]
    block /= total[:, None]


def best(run: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def floors(problem: Problem, seed: int = 0) -> dict[str, Any]:
    """Seconds of one read, one E-step in its fastest form (and in each), and GB/s of a copy, read and write counted."""
    rng = np.random.default_rng(seed)
    shape = (problem.n_sources, problem.n_classes + 1, problem.n_classes)
    table = np.log(rng.dirichlet(np.full(problem.n_classes, 2.0), shape[:2])).astype(np.float32)
    table[:, 0] = 0
    forms: dict[str, Callable[[], Any]]
    if problem.triples is not None:
        columns = problem.triples
        read = best(lambda: [column.max() for column in columns], 5)
        forms = {
            "sums": lambda: e_step_sums(problem, table),
            "bincount": lambda: e_step_bincount(problem, table),
        }
    else:
        votes = problem.votes
        assert votes is not None
        read = best(lambda: votes.max(), 5)
        forms = {
            "plain": lambda: e_step_plain(votes, table),
            "take": lambda: e_step_take(votes, table),
            "product": lambda: e_step_product(votes, table),
        }
        if problem.n_classes <= 16:
            forms["by class"] = lambda: e_step_by_class(votes, table)
    seconds = {name: best(form) for name, form in forms.items()}
    source = np.ones(64 << 20, np.float32)
    target = np.empty_like(source)
    copied = 2 * source.nbytes / best(lambda: np.copyto(target, source), 5) / 1e9
    return {"read_s": read, "e_step_s": min(seconds.values()), "forms_s": seconds, "copy_gb_s": copied}

"""A fork after a fit: the child says so at once. Each in a process of its own."""

import os
import subprocess
import sys

import pytest

FIT = """
import multiprocessing, os, sys, warnings
import numpy as np
import weaklabel
warnings.simplefilter("ignore")  # JAX's own, of forks
votes = np.random.default_rng(0).integers(-1, 2, (300, 5))

def fit():
    return weaklabel.LabelModel(2).fit(votes)

def said(work):
    try:
        return f"{type(work()).__name__}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def forked(work):
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, said(work).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        return answer.read()
"""
WORK = """
gold = np.arange(300) % 2
model = weaklabel.LabelModel(2).fit(votes, gold=gold)
data = model.to_bytes()
for work in (
    fit,
    lambda: model.predict_proba(votes),
    lambda: model.predict(votes),
    lambda: model.explain(votes, 0),
    lambda: model.predict_set(votes),
    lambda: model.next_to_label(votes, 3),
    lambda: model.score(votes, gold),
    lambda: list(model.predict_chunks([votes])),
    lambda: weaklabel.LabelModel.from_bytes(data),
    lambda: weaklabel.LabelModel(2).fit(weaklabel.VoteChunks([votes], 2)),
    lambda: forked(fit),
):
    print(forked(work))
"""
POOL = """
from concurrent.futures import ProcessPoolExecutor
from functools import partial
import pickle
model = fit()
assert (model.predict_proba(votes) == pickle.loads(pickle.dumps(model)).predict_proba(votes)).all()
fork = multiprocessing.get_context("fork")
with fork.Pool(1) as pool:
    print(said(lambda: pool.apply(model.predict_proba, (votes,))))
    print(said(lambda: pool.map(partial(model.predict), [votes])))
with ProcessPoolExecutor(1, fork) as pool:
    print(said(lambda: pool.submit(model.predict_proba, votes).result()))
"""
BEFORE = """
print(forked(fit))
import jax
print(forked(fit))
print(forked(lambda: weaklabel.MajorityVote(2).fit(votes).predict_proba(votes)))
jax.devices()
print(forked(fit))
print(forked(lambda: weaklabel.MajorityVote(2).fit(votes).predict_proba(votes)))
"""
REFUSED = "ForkedProcessError: this process was forked after JAX had started"


def run(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", FIT + program], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


def test_whatever_needs_jax_says_so_in_a_forked_child() -> None:
    lines = run(WORK)
    assert len(lines) == 11
    assert lines.pop() == "str"  # a grandchild says so to its parent
    for line in lines:
        assert line.startswith(REFUSED)
        assert 'multiprocessing.get_context("spawn")' in line


def test_pools_hand_the_error_on_and_do_not_wait_for_ever() -> None:
    """The model is pickled on the way to the worker."""
    lines = run(POOL)
    assert [line.startswith(REFUSED) for line in lines] == [True, True, True]


def test_a_fork_before_jax_has_started_is_no_fault() -> None:
    *free, refused, majority = run(BEFORE)
    assert free == ["LabelModel", "LabelModel", "ndarray"]
    assert refused.startswith(REFUSED)
    assert majority == "ndarray"

"""Running labeling functions in worker processes: the same votes as in one, and clear refusals."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling import (
    Failure,
    LabelingFunction,
    LabelingFunctionWarning,
    apply,
    labeling_function,
)
from weaklabel.votes import Votes

# Workers import the functions, so they stand in a module of their own.
MODULE = """
import os
import sys
from weaklabel import labeling_function, preprocessor
from weaklabel.votes.symbols import not_, one_of, soft

class OddError(Exception):
    def __init__(self, first, second):  # does not survive pickling
        super().__init__(first)

@preprocessor
def words(x):
    x.words = x.text.split()
    return x

@labeling_function(pre=[words])
def short(x):
    return 1 if len(x.words) < 3 else 0

@labeling_function(pre=[words], resources={"at": 40})
def fails(x, at):
    if int(x.words[1]) % 100 == at:
        raise OddError("odd", at)
    return int(x.words[1]) % 3

@labeling_function
def imprecise(x):
    return [0, one_of(0, 2), not_(x % 3), soft([x / 1000, 0.25, 0.75 - x / 1000])][x % 4]

@labeling_function
def ham(x):
    return 0

@labeling_function
def in_this_process(x):
    return 1 if os.getpid() == x else 0

@labeling_function
def jax_is_loaded(x):
    return 1 if "jax" in sys.modules else 0

@labeling_function
def interrupted(x):
    raise KeyboardInterrupt

@labeling_function
def dies(x):
    os._exit(1)

def contains(x, word):
    return 1 if word in x.text else None
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules_for_processes.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("rules_for_processes")


def test_the_same_as_in_one_process(rules: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"text": [f"row {i}" + " long" * (i % 2) for i in range(1000)]})
    functions = [
        rules.short,
        rules.fails,
        LabelingFunction(rules.contains, name="nine", resources={"word": "9"}),
    ]
    answers = []
    for n_jobs in (1, 2):
        failures: list[Failure] = []
        with pytest.warns(LabelingFunctionWarning) as caught:
            votes = apply(functions, frame, n_jobs=n_jobs, n_classes=3, on_failure=failures.append)
        assert [failure.item for failure in failures] == list(range(40, 1000, 100))
        assert "1000/1000" in capfd.readouterr().err
        answers.append((votes.to_codes().tolist(), failures, [str(warning.message) for warning in caught]))
    assert answers[0] == answers[1]
    assert "failed on 10 of 1,000 items" in answers[0][2][0]
    assert "The first was item 40:" in answers[0][2][0]
    with pytest.warns(LabelingFunctionWarning) as caught:
        apply(functions, frame, n_jobs=2, n_classes=3, progress=False)
    assert [str(warning.message) for warning in caught] == answers[0][2]
    assert "rules_for_processes.OddError: odd" in answers[1][1][0].traceback
    assert 'raise OddError("odd", at)' in answers[1][1][0].traceback


def test_vote_objects_are_the_same_as_in_one_process(rules: ModuleType) -> None:
    items = range(600)
    votes = apply([rules.imprecise, rules.ham], items, n_jobs=2, progress=False)
    expected = [[rules.imprecise(item), 0] for item in items]
    assert votes == Votes.from_dense(expected, 3, sources=["imprecise", "ham"])
    assert votes == apply([rules.imprecise, rules.ham], items, progress=False)
    assert votes.symbols.sets.shape == (3, 3)
    assert votes.symbols.soft.shape == (150, 3)


def test_workers_are_other_processes_without_jax(rules: ModuleType) -> None:
    votes = apply([rules.in_this_process, rules.jax_is_loaded], [os.getpid()] * 20, n_jobs=2, progress=False)
    assert votes.to_dense().tolist() == [[0, 0]] * 20


def test_stop_at_the_first_error(rules: ModuleType) -> None:
    frame = pd.DataFrame({"text": [f"row {i}" for i in range(300)]})
    with pytest.raises(LabelingFunctionError, match=r"'fails' failed on item 40 \('140'\): .*OddError: odd") as caught:
        apply([rules.fails], frame, items=range(100, 400), n_jobs=2, on_error="raise", progress=False)
    assert 'raise OddError("odd", at)' in str(caught.value.__cause__)


def test_interrupts_pass_through(rules: ModuleType) -> None:
    with pytest.raises(KeyboardInterrupt):
        apply([rules.interrupted], [1], n_jobs=2, progress=False)


def test_a_worker_that_dies(rules: ModuleType) -> None:
    with pytest.raises(LabelingFunctionError, match="a worker process ended"):
        apply([rules.dies], [1], n_jobs=2, progress=False)


def test_functions_that_cannot_be_sent(rules: ModuleType) -> None:
    @labeling_function
    def local(x: Any) -> int:
        return 0

    for function, name in ((local, "local"), (labeling_function(lambda x: 0), "<lambda>")):
        with pytest.raises(InvalidArgumentError, match=f"'{name}' cannot be sent to worker processes") as caught:
            apply([rules.short, function], [1], n_jobs=2, progress=False)
        assert caught.value.field == "functions"
    unsafe = LabelingFunction(rules.contains, name="unsafe", resources={"word": iter(lambda: 0, 1)})
    with pytest.raises(InvalidArgumentError, match="'unsafe' cannot be sent"):
        apply([unsafe], [1], n_jobs=2, progress=False)


def test_items_that_cannot_be_sent(rules: ModuleType) -> None:
    with pytest.raises(InvalidArgumentError, match="items 0 to 0 cannot be sent") as caught:
        apply([rules.short], [lambda: 0], n_jobs=2, progress=False)
    assert caught.value.field == "data"


def test_functions_of_the_prompt_cannot_be_loaded() -> None:
    program = (
        "from weaklabel import apply, labeling_function\n"
        "@labeling_function\n"
        "def rule(x): return 0\n"
        "apply([rule], [1], n_jobs=2, progress=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "cannot be loaded in a worker process" in done.stderr


def test_a_script_without_the_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from weaklabel import apply, labeling_function\n"
        "@labeling_function\n"
        "def rule(x): return 0\n"
        "apply([rule], range(100), n_jobs=2, progress=False)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stderr.count("Traceback") == 1  # none of the workers adds its own
    assert "weaklabel.errors.LabelingFunctionError: a worker process ended" in done.stderr
    assert "calls apply outside of `if __name__ == " in done.stderr


def test_ctrl_c_ends_the_run_and_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\n"
        "from weaklabel import apply, labeling_function\n"
        "@labeling_function\n"
        "def endless(x):\n"
        "    open(f'started-{os.getpid()}', 'w').close()\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    apply([endless], range(100), n_jobs=2, progress=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.glob("started-*"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    for started in tmp_path.glob("started-*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.name.removeprefix("started-")), 0)

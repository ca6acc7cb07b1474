"""What runs prompts where the caller names nothing."""

import subprocess
import sys
import textwrap
from dataclasses import fields
from pathlib import Path

import pytest

from weaklabel.labeling.sources import DataSource, default_engine
from weaklabel.prompts import PromptEngine, PromptFunction


def test_prompts_are_sources_that_do_not_know_what_runs_them(
    prompt: PromptFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine = default_engine(prompt)
    assert isinstance(prompt, DataSource)
    assert engine == PromptEngine()
    assert isinstance(engine, PromptEngine)
    assert engine.cache == tmp_path / "weaklabel" / "prompts.sqlite"
    assert not [field.name for field in fields(prompt) if "engine" in field.name]


BLOCKED = """
    import sys
    from weaklabel import ABSTAIN, PromptFunction, apply, labeling_function
    from weaklabel.prompts import Endpoint, PromptEngine, next_to_ask, plan, run
    assert not [name for name in ("openai", "httpx2", "httpcore2", "pydantic") if name in sys.modules]
    for name in sys.argv[1:]:
        sys.modules[name] = None  # not installed
    prompt = PromptFunction(name="p", model="gpt-5-mini", template="{text}", answers={"yes": 1, "no": ABSTAIN})
    engine = PromptEngine(Endpoint(base_url="http://127.0.0.1:9/v1"), cache=None)
    print(plan([prompt], ["a", "b"], engine).calls)
    apply([labeling_function(name="rule")(lambda x: 0)], ["a"], progress=False)
    for call in (run, apply):
        try:
            call([prompt], ["a"], engine=engine, progress=False)
        except ImportError as error:
            print(type(error).__name__, error)
"""


@pytest.mark.parametrize("missing", ["openai", "httpx2", "httpcore2"])
def test_only_calls_need_the_extra(missing: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(BLOCKED), missing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    error = f"calls of prompts: install the extra by pip install 'weaklabel[prompts]' (missing: {missing})"
    assert done.stdout.splitlines() == ["2", f"MissingExtraError {error}", f"MissingExtraError {error}"]

"""What runs prompts where the caller names nothing."""

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

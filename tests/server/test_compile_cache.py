"""Compiled programs outlive the server that compiled them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _without_the_cache_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")


def fit(server: Any, codes: Any) -> None:
    parent = server.create_project()
    server.upload(parent, codes)
    assert server.fit(parent).WhichOneof("result") == "model"


def programs_of_fits(folder: Path) -> set[str]:
    return {path.name for name in ("run", "read_out") for path in folder.glob(f"jit_{name}-*-cache")}


def test_programs_are_kept_in_the_data_folder(serving: Any, simulated: Any, tmp_path: Path) -> None:
    codes, _ = simulated(items=50)
    with serving(tmp_path, {}) as server:
        fit(server, codes)
    kept = programs_of_fits(tmp_path / "compiled")
    assert kept
    with serving(tmp_path, {}) as server:  # killed and started again
        fit(server, codes)
    assert programs_of_fits(tmp_path / "compiled") == kept


@pytest.mark.parametrize("folder", ["off", "file/compiled"], ids=["switched off", "not writable"])
def test_a_server_goes_on_without(serving: Any, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    chosen = folder if folder == "off" else str(tmp_path / folder)
    with serving(tmp_path / "data", {"WEAKLABEL_COMPILE_CACHE": chosen}) as server:
        fit(server, np.array([[0, 1, 1], [1, 1, -1]], np.int8))
        assert ("compiled programs are not kept" in server.process.log()) == (folder != "off")
    assert not (tmp_path / "data" / "compiled").exists()

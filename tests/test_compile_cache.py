"""Processes of their own: JAX reads its settings once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.WARNING, format="%(message)s")
if "jax first" in sys.argv:
    import jax.numpy as jnp
    jnp.arange(3) * 2
from weaklabel import compile_cache
compile_cache.use(*[argument for argument in sys.argv[1:] if argument != "jax first"])
assert "jax first" in sys.argv or "jax" not in sys.modules
import jax, jax.numpy as jnp
jax.jit(lambda x: jnp.exp(x) @ x)(jnp.ones(3))
"""


def run(*arguments: str, **environment: str) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")} | environment
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=variables, capture_output=True, text=True, check=True
    )
    return done.stderr


def programs(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("jit_*-cache")}


@pytest.mark.parametrize("arguments", [[], ["jax first"]], ids=["before JAX", "after JAX"])
def test_a_second_process_compiles_nothing(tmp_path: Path, arguments: list[str]) -> None:
    folder = tmp_path / "some" / "compiled"
    run(str(folder), *arguments)
    kept = programs(folder)
    assert any(name.startswith("jit__lambda") for name in kept)
    assert folder.stat().st_mode & 0o777 == 0o700
    run(str(folder), *arguments)
    assert programs(folder) == kept


def test_the_users_folder(tmp_path: Path) -> None:
    run(XDG_CACHE_HOME=str(tmp_path))
    assert programs(tmp_path / "weaklabel" / "compiled")


def test_the_folder_that_the_environment_names_stays(tmp_path: Path) -> None:
    run(str(tmp_path / "other"), JAX_COMPILATION_CACHE_DIR=str(tmp_path / "chosen"))
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "compiled programs are not kept" in run(str(tmp_path / "file" / "compiled"))


FIT = """
import logging, numpy as np
logging.basicConfig(level=logging.INFO, format="%(message)s")
logging.getLogger("jax").setLevel(logging.WARNING)
exec(__import__("sys").argv[1])
from weaklabel import LabelModel
LabelModel(2).fit(np.array([[0, 1, 1], [1, 1, 0], [0, 0, -1]]))
"""


def fit(home: Path, statement: str = "", **environment: str) -> str:
    unset = ("JAX_", "WEAKLABEL_COMPILE_CACHE")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    done = subprocess.run(
        [sys.executable, "-c", FIT, statement],
        env=variables | {"XDG_CACHE_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_a_fit_keeps_its_programs_in_a_private_folder_of_the_user(tmp_path: Path) -> None:
    fit(tmp_path)
    folder = tmp_path / "weaklabel" / "compiled"
    (of_machine,) = folder.iterdir()
    assert {path.stat().st_mode & 0o777 for path in (folder, of_machine)} == {0o700}
    kept = programs(of_machine)
    assert kept
    fit(tmp_path)
    assert programs(of_machine) == kept


@pytest.mark.slow
def test_what_is_chosen_comes_before_the_default(tmp_path: Path) -> None:
    home = tmp_path / "home"
    fit(home, WEAKLABEL_COMPILE_CACHE="off")
    fit(home, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "of JAX"))
    fit(home, f"import jax; jax.config.update('jax_compilation_cache_dir', {str(tmp_path / 'of the program')!r})")
    fit(home, WEAKLABEL_COMPILE_CACHE=str(tmp_path / "named"))
    assert programs(tmp_path / "named")
    assert not home.exists()


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "weaklabel" / "compiled"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert f"compiled programs are not kept: others can write to {folder}" in fit(tmp_path)
    assert not list(folder.glob("*/jit_*"))

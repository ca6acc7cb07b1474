"""The command line as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

WEAKLABEL = Path(sys.executable).with_name("weaklabel")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([WEAKLABEL, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, "weaklabel 0.1.0\n", "")


def test_help_names_the_commands() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "serve" in result.stdout
    assert "<bool>" not in result.stdout
    assert "--data-dir" in run("serve", "--help").stdout


def test_an_unknown_command() -> None:
    result = run("nothing")
    assert result.returncode == 2
    assert "nothing" in result.stderr


def test_the_command_line_loads_little() -> None:
    program = "import json, sys, weaklabel.cli.main; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(result.stdout))
    assert not loaded & {"jax", "grpc", "scipy", "sqlalchemy", "alembic", "pydantic", "openai", "weaklabel_server"}

"""Where settings come from, and how they are shown."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from weaklabel.cli.main import app
from weaklabel.cli.serve import serve
from weaklabel_server import settings
from weaklabel_server.config import ServerConfig

DEPLOYMENT = Path(__file__).parent.parent.parent / "docs" / "deployment.md"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(**options: Any) -> ServerConfig:
    config = settings.read(ServerConfig, options)
    assert isinstance(config, ServerConfig)
    return config


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WEAKLABEL_")]:
        monkeypatch.delenv(name)


def test_options_go_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.toml", 'max_fits = 3\nmax_streams = 4\nlog_level = "debug"\n')
    monkeypatch.setenv("WEAKLABEL_CONFIG", str(file))
    monkeypatch.setenv("WEAKLABEL_MAX_STREAMS", "5")
    monkeypatch.setenv("WEAKLABEL_LOG_LEVEL", "warning")
    config = read(log_level="error")
    assert (config.max_fits, config.max_streams, config.log_level, config.max_watches) == (3, 5, "error", 512)
    sources = settings.origins(ServerConfig, {"log_level": "error"})
    assert [sources[name] for name in ("max_fits", "max_streams", "log_level", "max_watches")] == [
        f"file {file}",
        "environment WEAKLABEL_MAX_STREAMS",
        "option --log-level",
        "default",
    ]
    other = write(tmp_path / "b.toml", "max_fits = 7\n")
    assert read(config=other).max_fits == 7  # the option names another file than the environment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nmax_fit = 3\n", r'a\.toml, line 2: there is no setting "max_fit"; did you mean "max_fits"\?'),
        ("max_fits = 1\n[server]\n", r'line 2: there is no setting "server"'),
        ('config = "b.toml"\n', r'there is no setting "config"'),
        ("max_fits = = 1\n", r"a\.toml is not TOML: .*line 1"),
        ("max_fits = 0\n", r"max_fits \(file .*a\.toml\): .*greater than or equal to 1"),
        ('max_fits = "many"\n', r"max_fits \(file .*a\.toml\)"),
        ("[max_fits]\na = 1\n", r"max_fits \(file .*a\.toml\)"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    file = write(tmp_path / "a.toml", text)
    with pytest.raises(settings.SettingsError, match=expected):
        read(config=file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError, match=r"none\.toml: No such file"):
        read(config=tmp_path / "none.toml")


def test_what_is_printed_gives_the_same_settings(tmp_path: Path) -> None:
    options = {"data_dir": tmp_path / 'a "b" \x7f ü', "peer_share": 0.25, "reflection": False, "metrics_listen": "9464"}
    config = read(**options)
    assert config.metrics_listen == "127.0.0.1:9464"
    printed = settings.to_toml(config, settings.origins(ServerConfig, options))
    again = read(config=write(tmp_path / "printed.toml", printed))
    assert again.model_dump(exclude={"config"}) == config.model_dump(exclude={"config"})
    names = set(re.findall(r"^(?:# )?(\w+) =", printed, re.MULTILINE))
    assert names == ServerConfig.model_fields.keys() - {"config"}


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@db/w", "postgresql://me@db/w?password=s3cret", "s3cret"])
def test_passwords_are_not_shown(url: str) -> None:
    config = read(database_url=url)
    assert "s3cret" not in settings.to_toml(config, settings.origins(ServerConfig, {}))
    assert "s3cret" not in repr(config)


def test_print_config_of_the_command(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "max_fits = 3\n")
    command = [str(Path(sys.executable).with_name("weaklabel")), "serve", "--print-config", "--config", str(file)]
    environment = os.environ | {"WEAKLABEL_DATABASE_URL": "postgresql://me:s3cret@db/w"}
    done = subprocess.run([*command, "--tls-certificate", "c", "--tls-key", "k"], capture_output=True, env=environment)
    printed = done.stdout.decode()
    assert done.returncode == 0
    found = tomllib.loads(printed)
    assert (found["max_fits"], found["tls_key"], found["database_url"]) == (3, "k", "postgresql://me:***@db/w")
    assert 'tls_key = "k"  # option --tls-key' in printed
    assert "# environment WEAKLABEL_DATABASE_URL" in printed
    assert not list(tmp_path.glob("weaklabel-data"))


def test_print_config_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.toml", "max_fits = 3\n")
    monkeypatch.setenv("WEAKLABEL_DATABASE_URL", "postgresql://me:s3cret@db/w")
    command = ["serve", "--print-config", "--json", "--config", str(file), "--data-dir", str(tmp_path / "data")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == ServerConfig.model_fields.keys() - {"config"}
    assert found["max_fits"] == {"value": 3, "origin": f"file {file}"}
    assert found["data_dir"] == {"value": str(tmp_path / "data"), "origin": "option --data-dir"}
    assert found["database_url"]["value"] == "postgresql://me:***@db/w"
    assert found["tls_key"] == {"value": None, "origin": "default"}
    refused = CliRunner().invoke(app, ["serve", "--json"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--json goes with --print-config" in refused.stderr


def test_options_are_settings() -> None:
    # They are written by hand, since the command line is told of where no server is installed.
    assert inspect.signature(serve).parameters.keys() - {"print_config", "as_json"} <= ServerConfig.model_fields.keys()


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    section = DEPLOYMENT.read_text().partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`(†?) \| (.*?) \| .+ \|$", section, re.MULTILINE)
    options = inspect.signature(serve).parameters.keys()
    defaults = {
        name: None if field.default_factory else field.get_default()
        for name, field in ServerConfig.model_fields.items()
    }
    assert [name for name, _, _ in rows] == list(defaults)
    assert {name for name, mark, _ in rows if mark} == options - {"print_config", "as_json"}
    for name, _, shown in rows:
        default = defaults[name]
        told = shown.replace(",", "").strip("`")
        if default is None:
            assert not re.fullmatch(r"[\d.]+", told), name
        elif isinstance(default, (int, float)) and not isinstance(default, bool):
            value, _, unit = told.partition(" ")
            assert float(value) * {"": 1, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit] == default, name
        else:
            assert told == str(default).lower() or told == str(default), name

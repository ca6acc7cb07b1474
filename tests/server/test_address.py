"""Where the server listens: Unix sockets, ~, names and addresses that are not its own, said as they are."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from weaklabel_client import Client
from weaklabel_server.app import App, StartError
from weaklabel_server.config import ServerConfig

WEAKLABEL = str(Path(sys.executable).with_name("weaklabel"))


def refused(listen: str, folder: Path) -> str:
    """Why a server does not start there, in this process: one of its own takes seconds to say the same."""
    config = ServerConfig(listen=listen, data_dir=folder / "data")
    with pytest.raises(StartError) as caught:
        asyncio.run(App(config).start())
    assert not (folder / "data").exists()
    return str(caught.value)


def test_a_server_that_does_not_start_says_so_in_a_line(tmp_path: Path) -> None:
    command = [WEAKLABEL, "serve", "--listen", "192.0.2.1:0", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "192.0.2.1 is not an address of this machine" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("no-such-host.invalid:0", "the host name no-such-host.invalid does not resolve"),
        ("192.0.2.1:0", "192.0.2.1 is not an address of this machine"),
        ("[2001:db8::1]:0", "2001:db8::1 is not an address of this machine"),
        ("unix:FOLDER/missing/socket", "there is no folder FOLDER/missing"),
        ("unix:FOLDER/file", "FOLDER/file is there, and is no socket"),
        (f"unix:FOLDER/{'s' * 200}", "path too long"),
    ],
)
def test_what_is_in_the_way_is_said(listen: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(listen.replace("FOLDER", str(tmp_path)), tmp_path)
    assert message.replace("FOLDER", str(tmp_path)) in said
    assert "authentication" not in said
    assert len(said.splitlines()) == 1


def test_a_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/socket"
    command = [WEAKLABEL, "serve", "--listen", address, "--data-dir", str(tmp_path / "own")]
    for _ in range(2):  # the second finds the socket of the first, which was killed
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert f" listening on {address}, data in " in process.stdout.readline()
                with Client(address) as client:
                    assert client.create_project("spam", ["ham", "spam"], exist_ok=True).classes == ("ham", "spam")
                assert "another server listens there" in refused(address, tmp_path)
            finally:
                process.kill()


def test_the_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/someone")
    config = ServerConfig.model_validate(
        {"listen": "unix:~/socket", "data_dir": "~/data", "compile_cache": "~/compiled", "prompts_file": "~/prompts"}
    )
    assert config.listen == "unix:/home/of/someone/socket"
    assert config.is_loopback
    assert (config.data_dir, config.compile_cache, config.prompts_file) == tuple(
        Path("/home/of/someone", name) for name in ("data", "compiled", "prompts")
    )
    assert ServerConfig.model_validate({"compile_cache": "off"}).compile_cache == "off"

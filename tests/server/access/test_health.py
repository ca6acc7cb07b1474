"""Probes of a server over TLS need no token; its log names the token of the calls that have one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from weaklabel_protocol.v1 import projects_pb2


def _ask(*arguments: str) -> Any:
    command = [str(Path(sys.executable).with_name("weaklabel")), "admin", "health", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_health_over_tls(secured: Any) -> None:
    address = secured.process.address
    service = ("--address", address, "--service", "weaklabel.v1.ProjectService")
    done = _ask(*service, "--ca", str(secured.folder / "ca.pem"))
    assert (done.returncode, done.stdout) == (0, "SERVING\n")
    other = _ask(*service, "--ca", str(secured.folder / "ca.pem"), "--server-name", "other.example")
    assert other.returncode == 1
    assert _ask(*service, "--timeout", "2").returncode == 1  # without TLS
    missing = _ask(*service, "--ca", str(secured.folder / "none.pem"))
    assert (missing.returncode, "none.pem: No such file" in missing.stderr) == (1, True)


def test_the_log_names_the_token(secured: Any, harness: Any) -> None:
    token = secured.token("read:*")
    answer = secured.call(
        "/weaklabel.v1.ProjectService/ListProjects", token, projects_pb2.ListProjectsRequest().SerializeToString()
    )
    assert answer[0] == "OK"
    token_id = token.split("_")[1]
    harness.until(lambda: f"token_id={token_id}" in secured.process.log())  # the line follows the answer
    assert token.split("_", 2)[2] not in secured.process.log()

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "clients" / "python" / "weaklabel_client"
PROBE = "import json, sys, weaklabel_client, weaklabel_client.aio; print(json.dumps(sorted(sys.modules)))"


def test_the_client_imports_numpy_grpc_and_protobuf_only(tmp_path: Path) -> None:
    probe = subprocess.run([sys.executable, "-c", PROBE], cwd=tmp_path, capture_output=True, text=True, check=True)
    before = subprocess.run(
        [sys.executable, "-c", "import json, sys; print(json.dumps(sorted(sys.modules)))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in set(json.loads(probe.stdout)) - set(json.loads(before.stdout))}
    foreign = loaded - sys.stdlib_module_names
    assert foreign >= {"weaklabel_client", "weaklabel_protocol", "numpy", "grpc", "google"}
    # grpc itself looks for its satellites, and for typing_extensions.
    by_grpc = {"grpc_health", "grpc_reflection", "grpc_status", "grpc_tools", "typing_extensions"}
    assert {name for name in foreign - by_grpc if "cython" not in name} == {
        "weaklabel_client",
        "weaklabel_protocol",
        "numpy",
        "grpc",
        "google",
    }


def test_nothing_generated_is_in_the_client() -> None:
    assert not list(PACKAGE.rglob("*_pb2*"))


@pytest.mark.parametrize(
    "module", ["weaklabel_protocol", *(f"weaklabel_protocol.{m}" for m in ("vote_objects", "bags", "errors"))]
)
def test_votes_and_bags_need_numpy_alone(module: str, tmp_path: Path) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(m for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert module in loaded
    assert not loaded & {"grpc", "google.protobuf", "weaklabel", "weaklabel_client", "scipy", "jax"}

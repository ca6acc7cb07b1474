"""The contract stays compatible with the one that was released, as protos/weaklabel-v1.binpb holds it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUF = Path(sys.executable).with_name("buf")
RELEASED = ROOT / "protos" / "weaklabel-v1.binpb"

pytestmark = pytest.mark.skipif(not BUF.exists(), reason="buf is not installed")


def _breaking(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(BUF), "breaking", "--against", str(RELEASED)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_contract_is_compatible_with_the_released_one() -> None:
    result = _breaking(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("uint64 row_offset = 2;", "uint64 row_offset = 9;", 'Previously present field "2"'),
        ("uint64 row_offset = 2;", "uint32 row_offset = 2;", 'changed type from "uint64" to "uint32"'),
        ("rpc Predict(", "rpc Foretell(", 'RPC "Predict" on service "LabelService" was deleted'),
    ],
)
def test_a_change_that_breaks_clients_is_refused(before: str, after: str, message: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protos" / "weaklabel", tmp_path / "protos" / "weaklabel")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    proto = tmp_path / "protos" / "weaklabel" / "v1" / "labels.proto"
    assert before in proto.read_text()
    proto.write_text(proto.read_text().replace(before, after))
    result = _breaking(tmp_path)
    assert result.returncode == 100
    assert message in result.stdout

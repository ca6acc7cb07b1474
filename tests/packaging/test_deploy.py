"""What deploy/ holds: it parses, gives no rights that are not needed, and names what there is."""

import configparser
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from weaklabel_server import settings
from weaklabel_server.app import SERVICES
from weaklabel_server.config import ServerConfig

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = ("kubernetes.yaml", "kubernetes-postgresql.yaml")


def documents(name: str) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / name).read_text())}


def pod(name: str) -> Any:
    found = documents(name)
    return (found.get("StatefulSet") or found["Deployment"])["spec"]["template"]


def probes(container: Any) -> Iterator[Any]:
    return (container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe"))


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_have_no_rights(name: str) -> None:
    spec = pod(name)["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["automountServiceAccountToken"] is False
    inner = container["securityContext"]
    assert (inner["readOnlyRootFilesystem"], inner["allowPrivilegeEscalation"]) == (True, False)
    assert inner["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claims = documents(name).get("StatefulSet", {}).get("spec", {}).get("volumeClaimTemplates", [])
    assert mounted == {one["name"] for one in spec["volumes"]} | {one["metadata"]["name"] for one in claims}
    defaults = ServerConfig()
    assert spec["terminationGracePeriodSeconds"] > defaults.drain_seconds + defaults.grace_seconds


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_are_those_of_their_service(name: str) -> None:
    found, template = documents(name), pod(name)
    selector = found["Service"]["spec"]["selector"]
    assert selector.items() <= template["metadata"]["labels"].items()
    workload = found.get("StatefulSet") or found["Deployment"]
    assert workload["spec"]["selector"]["matchLabels"] == selector
    (container,) = template["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert {one["targetPort"] for one in found["Service"]["spec"]["ports"]} <= ports.keys()
    for probe in probes(container):
        service = probe.get("grpc", {}).get("service", "")
        command = probe.get("exec", {}).get("command", [])
        if "--service" in command:
            service = command[command.index("--service") + 1]
        assert service in ("", *SERVICES)
        assert probe.get("grpc", {}).get("port", ports["grpc"]) == ports["grpc"]


def test_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "inner.toml"
    inner.write_text(documents("kubernetes.yaml")["ConfigMap"]["data"]["weaklabel.toml"])
    for file in (inner, DEPLOY / "weaklabel.toml"):
        config = settings.read(ServerConfig, {"config": file})
        assert config.tls_certificate
        assert config.tokens_required
    (container,) = pod("kubernetes-postgresql.yaml")["spec"]["containers"]
    for one in container["env"]:
        assert one["name"].removeprefix("WEAKLABEL_").lower() in ServerConfig.model_fields
        monkeypatch.setenv(one["name"], one.get("value", "postgresql://u:p@h/d"))
    assert settings.read(ServerConfig, {}).tokens_required


def test_the_image_runs_without_rights_and_from_hashed_packages() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (\d+)", last, re.MULTILINE)
    assert "pip install" not in last
    assert "HEALTHCHECK" in last
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    for source in " ".join(sources).split():
        assert (ROOT / source).exists(), source
    assert text.count("pip install") == text.count("--require-hashes") + text.count("--no-index")


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_the_locks_of_the_image_agree_with_the_lock(name: str) -> None:
    found, known = pins(DEPLOY / name), pins(ROOT / "requirements.lock")
    assert found
    assert "://" not in (DEPLOY / name).read_text()
    assert {package: version for package, version in found.items() if known.get(package, version) != version} == {}
    if name == "requirements.lock":
        assert {"grpcio", "jax", "pg8000", "prometheus-client", "opentelemetry-sdk"} <= found.keys()
        assert not {"pytest", "mypy", "ruff", "build"} & found.keys()


def test_the_unit_is_hardened() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "weaklabel.service")
    service = unit["Service"]
    expected = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "StateDirectory": "weaklabel", "User": "weaklabel"}
    assert {key: service[key] for key in expected} == expected
    tomllib.loads((DEPLOY / "weaklabel.toml").read_text())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    # The program is not installed where this runs.
    text = (DEPLOY / "weaklabel.service").read_text().replace("/opt/weaklabel/bin/weaklabel", "/bin/true")
    file = tmp_path / "weaklabel.service"
    file.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

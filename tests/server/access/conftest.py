"""Certificates made for the tests, and a server over TLS on which every call needs a token."""

import contextlib
import datetime
import ipaddress
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from weaklabel_server.admin import tokens

SECONDS = 20


class Pair(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority of tests")])
        self.certificate = self._sign(self._name, self._key.public_key(), ca=True)

    def issue(self, name: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return Pair(self._sign(subject, key.public_key(), ca=False), pem)

    def _sign(self, subject: x509.Name, key: Any, *, ca: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)


class Answer(NamedTuple):
    """How a call ended: the code, and what its status says."""

    code: str
    message: str
    reason: str
    metadata: dict[str, str]
    messages: list[bytes]


class Secured:
    """A server over TLS that needs tokens."""

    def __init__(self, process: Any, authority: Authority, folder: Path) -> None:
        self.process = process
        self.authority = authority
        self.folder = folder
        self.channel = grpc.secure_channel(process.address, grpc.ssl_channel_credentials(authority.certificate))

    def token(self, *grants: str, days: float | None = None, **limits: float) -> str:
        """A new token."""
        made = tokens.create(self.process.data_dir, "a test", grants, days=days, **limits)
        time.sleep(0.1)  # after which the server looks again
        return made

    def call(self, path: str, token: str | None, *requests: bytes, timeout: float = SECONDS) -> Answer:
        """Calls a method of any kind with serialized messages."""
        metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        method: Any = self.channel.stream_stream(path)
        call = method(iter(requests), metadata=metadata, timeout=timeout)
        messages: list[bytes] = []
        with contextlib.suppress(grpc.RpcError):
            messages.extend(call)
        info = error_details_pb2.ErrorInfo()
        status = rpc_status.from_call(call)
        if status is not None:
            assert status.details[0].Unpack(info)
        return Answer(call.code().name, call.details(), info.reason, dict(info.metadata), messages)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


def tls_environment(folder: Path, authority: Authority) -> dict[str, str]:
    """Writes a certificate into a folder; returns the settings that name it."""
    pair = authority.issue("server")
    (folder / "server.pem").write_bytes(pair.certificate)
    (folder / "server.key").write_bytes(pair.key)
    (folder / "ca.pem").write_bytes(authority.certificate)
    return {"WEAKLABEL_TLS_CERTIFICATE": str(folder / "server.pem"), "WEAKLABEL_TLS_KEY": str(folder / "server.key")}


@pytest.fixture(scope="session")
def secure(authority: Authority) -> Callable[[Path], dict[str, str]]:
    return lambda folder: tls_environment(folder, authority)


@pytest.fixture(scope="session")
def secured(serving: Any, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    environment = tls_environment(folder, authority) | {
        "WEAKLABEL_REQUIRE_TOKENS": "on",
        "WEAKLABEL_TOKEN_REFRESH_SECONDS": "0.1",
    }
    with serving(folder / "data", environment) as server:
        server.channel.close()
        made = Secured(server.process, authority, folder)
        yield made
        made.channel.close()

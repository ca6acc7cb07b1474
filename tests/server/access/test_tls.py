"""Certificates: of the server, of clients, renewed and broken ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

import weaklabel_client
from weaklabel_server.access.tls import Certificates, TlsError, TlsFiles
from weaklabel_server.app import App, StartError
from weaklabel_server.config import ServerConfig


def _reaches(address: str, trusted: bytes, pair: Any = None) -> bool:
    """Whether a fresh connection gets through the handshake."""
    key, chain = (None, None) if pair is None else (pair.key, pair.certificate)
    options = [("grpc.use_local_subchannel_pool", 1)]  # no connection of a channel before
    credentials = grpc.ssl_channel_credentials(trusted, key, chain)
    with grpc.secure_channel(address, credentials, options) as channel:
        try:
            check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
            check(b"", timeout=5)
        except grpc.RpcError as error:
            return bool(error.code() is not grpc.StatusCode.UNAVAILABLE)
        return True


def test_a_renewed_certificate_is_taken_without_a_restart(
    serving: Any, tmp_path: Path, authority: Any, secure: Callable[[Path], dict[str, str]]
) -> None:
    other = type(authority)()
    with serving(tmp_path / "data", secure(tmp_path)) as server:
        address = server.process.address
        open_before = grpc.secure_channel(address, grpc.ssl_channel_credentials(authority.certificate))
        check: Any = open_before.unary_unary("/grpc.health.v1.Health/Check")
        check(b"", timeout=5)
        assert not _reaches(address, other.certificate)
        pair = other.issue("server, renewed")
        (tmp_path / "server.pem").write_bytes(pair.certificate)  # half of a renewal: the key does not match
        assert _reaches(address, authority.certificate)
        (tmp_path / "server.key").write_bytes(pair.key)
        assert _reaches(address, other.certificate)
        assert not _reaches(address, authority.certificate)
        check(b"", timeout=5)  # connections stay
        (tmp_path / "server.pem").unlink()
        assert _reaches(address, other.certificate)
        open_before.close()
        assert "the certificate was read again" in server.process.log()
        assert "the certificate stays as it was" in server.process.log()


def test_only_clients_of_the_authority_get_in(
    serving: Any, tmp_path: Path, authority: Any, secure: Callable[[Path], dict[str, str]]
) -> None:
    stranger = type(authority)()
    environment = secure(tmp_path) | {"WEAKLABEL_TLS_CLIENT_CA": str(tmp_path / "clients.pem")}
    (tmp_path / "clients.pem").write_bytes(authority.certificate)
    (tmp_path / "stranger.pem").write_bytes(stranger.certificate)
    with serving(tmp_path / "data", environment) as server:
        address = server.process.address
        assert not _reaches(address, authority.certificate)
        assert not _reaches(address, authority.certificate, stranger.issue("a stranger"))
        with (
            weaklabel_client.Client(address, tls=tmp_path / "stranger.pem") as client,
            pytest.raises(weaklabel_client.Unavailable, match="TLS handshake with"),
        ):
            client.get_project("x", timeout=10)
        mine = authority.issue("a client")
        assert _reaches(address, authority.certificate, mine)
        (tmp_path / "client.pem").write_bytes(mine.certificate)
        (tmp_path / "client.key").write_bytes(mine.key)
        files = tmp_path / "client.pem", tmp_path / "client.key"
        with weaklabel_client.Client(address, tls=tmp_path / "ca.pem", client_certificate=files) as client:
            assert list(client.list_projects()) == []  # on this machine no token is needed before there is one
        # The authority of clients is renewed as well.
        (tmp_path / "clients.pem").write_bytes(stranger.certificate)
        assert not _reaches(address, authority.certificate, mine)
        assert _reaches(address, authority.certificate, stranger.issue("a friend by now"))


def test_files_that_cannot_be_used(tmp_path: Path, authority: Any) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    certificate, key, ca = tmp_path / "a.pem", tmp_path / "a.key", tmp_path / "ca.pem"
    with pytest.raises(TlsError, match="No such file"):
        Certificates(TlsFiles(certificate, key, None))
    certificate.write_bytes(one.certificate)
    key.write_bytes(other.key)
    with pytest.raises(TlsError, match="not a certificate and its key"):
        Certificates(TlsFiles(certificate, key, None))
    key.write_bytes(one.key)
    Certificates(TlsFiles(certificate, key, None))
    ca.write_text("none")
    with pytest.raises(TlsError, match="holds no certificate"):
        Certificates(TlsFiles(certificate, key, ca))


@pytest.mark.parametrize(
    ("settings", "tls", "missing"),
    [
        ({}, False, "there is no TLS"),
        ({"require_tokens": "on"}, False, "there is no TLS"),
        ({"require_tokens": "off"}, True, "calls need no token"),
    ],
)
async def test_other_machines_need_tls_and_tokens(
    tmp_path: Path, secure: Callable[[Path], dict[str, str]], settings: dict[str, str], tls: bool, missing: str
) -> None:
    if tls:
        secure(tmp_path)
        settings |= {"tls_certificate": str(tmp_path / "server.pem"), "tls_key": str(tmp_path / "server.key")}
    config = ServerConfig.model_validate({"listen": "0.0.0.0:0", "data_dir": tmp_path / "data", **settings})
    with pytest.raises(StartError, match=missing):
        await App(config).start()
    assert not config.data_dir.exists()


def test_settings_of_tls_go_together(tmp_path: Path) -> None:
    for settings in ({"tls_certificate": "a"}, {"tls_key": "a"}, {"tls_client_ca": "a"}):
        with pytest.raises(ValidationError, match="tls_certificate and tls_key"):
            ServerConfig.model_validate(settings)


def test_with_both_it_serves_other_machines(
    shared_server: Any, tmp_path: Path, authority: Any, secure: Callable[[Path], dict[str, str]]
) -> None:
    process = type(shared_server)(tmp_path / "data", environment=secure(tmp_path))
    process.address = "0.0.0.0:0"
    process.start()
    try:
        address = process.address.replace("0.0.0.0", "127.0.0.1")
        assert _reaches(address, authority.certificate)
        with (
            weaklabel_client.Client(address, tls=tmp_path / "ca.pem") as client,
            pytest.raises(weaklabel_client.Unauthenticated),
        ):
            list(client.list_projects())
        assert "there is none yet: weaklabel admin tokens create" in process.log()
    finally:
        process.kill()

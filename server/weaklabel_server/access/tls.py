"""TLS: the certificate of the server, and the authority whose clients it lets in, read again when files change."""

import logging
import ssl
import threading
from pathlib import Path
from typing import Any, NamedTuple

import grpc

log = logging.getLogger(__name__)


class TlsError(Exception):
    """Files that cannot be used; the message says which, and why."""


class TlsFiles(NamedTuple):
    """Paths of files in PEM. With client_ca, only clients with a certificate of that authority get in."""

    certificate: Path
    key: Path
    client_ca: Path | None


_Stamp = tuple[tuple[int, int, int], ...]


class Certificates:
    """What the next handshake uses. Handshakes come from threads of gRPC."""

    def __init__(self, files: TlsFiles) -> None:
        """Reads the files.

        Raises:
            TlsError: They cannot be used.
        """
        self._files = files
        self._lock = threading.Lock()
        try:
            self._stamp = self._look()
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from None
        self._initial = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server, which follow the files."""
        renewed: Any = self._renewed  # may return None for "as before", which the stubs do not know
        return grpc.dynamic_ssl_server_credentials(
            self._initial, renewed, require_client_authentication=self._files.client_ca is not None
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What is new since the last handshake, or None. Called before each of them."""
        with self._lock:
            try:
                stamp = self._look()
                if stamp == self._stamp:
                    return None
                configuration = self._read()
            except (OSError, TlsError) as error:
                # Half of a renewal: the certificate is there and its key is not. The next handshake looks again.
                log.warning("the certificate stays as it was: %s", error)
                return None
            self._stamp = stamp
            log.info("the certificate was read again")
            return configuration

    def _look(self) -> _Stamp:
        found = (path.stat() for path in self._files if path is not None)
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        certificate, key, client_ca = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            pair = key.read_bytes(), certificate.read_bytes()
            authority = None if client_ca is None else client_ca.read_bytes()
            context.load_cert_chain(certificate, key, password="")  # rather than ask for one on the terminal
        except ssl.SSLError as error:
            raise TlsError(f"{certificate} and {key} are not a certificate and its key: {error.reason}") from None
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from None
        if authority is not None:
            try:
                context.load_verify_locations(cadata=authority.decode("ascii"))
            except (ssl.SSLError, ValueError):
                raise TlsError(f"{client_ca} holds no certificate") from None
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=authority)

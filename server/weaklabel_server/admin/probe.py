"""Asks a server for its health."""

from pathlib import Path
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from weaklabel_server.admin.opening import AdminError


class TlsSide(NamedTuple):
    """TLS as a client sees it; without ca there is none. Paths are of files in PEM."""

    ca: Path | None = None
    server_name: str | None = None
    certificate: Path | None = None
    key: Path | None = None


def ask(address: str, service: str, timeout: float, tls: TlsSide) -> str:
    """The health of a service, or of the whole server (""): SERVING, NOT_SERVING.

    Args:
        address: HOST:PORT or unix:PATH.
        service: The name of the service.
        timeout: In seconds.
        tls: How to call.

    Raises:
        AdminError: There is no answer.
    """
    try:
        with _channel(address, tls) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods are made at run time
            answer = stub.Check(request, timeout=timeout)
    except grpc.RpcError as error:
        raise AdminError(f"{address}: {error.code().name}: {error.details()}") from None
    except OSError as error:
        raise AdminError(f"{error.filename}: {error.strerror}") from None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _channel(address: str, tls: TlsSide) -> grpc.Channel:
    if tls.ca is None:
        return grpc.insecure_channel(address)
    key, certificate = (None if path is None else path.read_bytes() for path in (tls.key, tls.certificate))
    credentials = grpc.ssl_channel_credentials(tls.ca.read_bytes(), key, certificate)
    options = [] if tls.server_name is None else [("grpc.ssl_target_name_override", tls.server_name)]
    return grpc.secure_channel(address, credentials, options)

"""Options of channels, and what every call carries."""

import ipaddress
import json
import os
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from weaklabel_client._protocol.rpcs import UNARY

TIMEOUT = 30.0  # seconds, of a unary call
RECONNECT_TIMEOUT = 60.0  # seconds, see Backoff

Options = list[tuple[str, Any]]
Metadata = tuple[tuple[str, str], ...]
AnyPath = str | os.PathLike[str]
Tls = bool | AnyPath

TOKEN_VARIABLE = "WEAKLABEL_TOKEN"  # noqa: S105

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # room for a chunk of 65,536 rows of some 200 classes
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": rpc.service, "method": rpc.method} for rpc in UNARY],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.25s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # Retries stop when many calls fail, so that they do not keep a server down that is overloaded.
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
}


def options() -> Options:
    """Channel options: retries of unary calls, finite messages, quick reconnection, polite keepalive."""
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Finds a dead connection while a call runs; the server allows pings 20 s apart and cuts off whoever sends more.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


@dataclass(frozen=True)
class Security:
    """How a channel is secured, and what every call carries."""

    credentials: grpc.ChannelCredentials | None = None
    metadata: Metadata = field(default=(), repr=False)


def security(
    target: str,
    *,
    token: str | None = None,
    tls: Tls = False,
    client_certificate: tuple[AnyPath, AnyPath] | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    insecure: bool = False,
) -> Security:
    """Puts together what secures a channel; arguments as of weaklabel_client.Client.

    Raises:
        ValueError: The token would leave the machine in clear text, or is none; or arguments exclude each other.
        OSError: A file cannot be read.
    """
    if credentials is not None and (tls or client_certificate):
        raise ValueError("pass credentials, or tls and client_certificate, not both")
    if client_certificate is not None and not tls:
        raise ValueError("client_certificate needs tls: True, or a file of certificates to trust")
    if tls:
        trusted = None if tls is True else Path(tls).expanduser().read_bytes()
        chain, key = client_certificate or (None, None)
        credentials = grpc.ssl_channel_credentials(
            trusted,
            None if key is None else Path(key).expanduser().read_bytes(),
            None if chain is None else Path(chain).expanduser().read_bytes(),
        )
    return Security(credentials, metadata(target, credentials, token or os.environ.get(TOKEN_VARIABLE), insecure))


def metadata(
    target: str, credentials: grpc.ChannelCredentials | None, token: str | None, insecure: bool = False
) -> Metadata:
    """Returns what every call carries.

    Raises:
        ValueError: The token would leave the machine in clear text, or is none.
    """
    if not token:
        return ()
    if credentials is None and not insecure and not _is_loopback(target):
        raise ValueError(f"a token is not sent to {target} in clear text: pass tls=True, or insecure=True to do so")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError("a token has no spaces, line ends or characters beyond ASCII")  # and is not shown
    return (("authorization", f"Bearer {token}"),)


def _is_loopback(target: str) -> bool:
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    addresses = target.rpartition("/")[2].split(",")
    return all(_is_loopback_host(address) for address in addresses)


def _is_loopback_host(address: str) -> bool:
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        address = address.removeprefix(scheme)
    host = urllib.parse.urlsplit(f"//{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

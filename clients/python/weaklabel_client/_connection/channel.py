"""Options of channels, and what every call carries."""

import ipaddress
import json
import urllib.parse
from typing import Any

import grpc

from weaklabel_client._protocol.rpcs import UNARY

TIMEOUT = 30.0  # seconds, of a unary call
RECONNECT_TIMEOUT = 60.0  # seconds, see Backoff

Options = list[tuple[str, Any]]
Metadata = tuple[tuple[str, str], ...]

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


def metadata(target: str, credentials: grpc.ChannelCredentials | None, token: str | None) -> Metadata:
    """Returns what every call carries.

    Raises:
        ValueError: The token would leave the machine in clear text.
    """
    if token is None:
        return ()
    if credentials is None and not _is_loopback(target):
        raise ValueError(f"a token is not sent to {target} in clear text: pass credentials, for TLS")
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

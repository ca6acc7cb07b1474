"""The address to listen on: HOST:PORT, or a Unix socket, and why it cannot be had."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from pathlib import Path

UNIX, ABSTRACT = "unix:", "unix-abstract:"


def read(value: str) -> str | None:
    """The address as gRPC takes it, with ~ expanded; None for what is no address."""
    if value.startswith(ABSTRACT):
        return value if value != ABSTRACT else None
    if value.startswith(UNIX):
        path = value.removeprefix(UNIX).removeprefix("//")
        return UNIX + str(Path(path).expanduser().absolute()) if path else None
    host, _, port = value.rpartition(":")
    return value if host and port.isascii() and port.isdigit() and int(port) <= 65535 else None


def is_unix(listen: str) -> bool:
    """Whether it is a Unix socket, which has no port."""
    return listen.startswith((UNIX, ABSTRACT))


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach it."""
    if is_unix(listen):
        return True
    host = _host(listen)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def fault(listen: str) -> str | None:
    """Why nothing can listen there, whatever the port; None where nothing is in the way."""
    if listen.startswith(ABSTRACT):
        return None
    if is_unix(listen):
        return _fault_of_socket(Path(listen.removeprefix(UNIX)))
    host = _host(listen)
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return f"the host name {host} does not resolve ({error.strerror})"
    causes = {_bound(family, address) for family, _, _, _, address in found}
    if causes == {errno.EADDRNOTAVAIL}:
        return f"{host} is not an address of this machine: take one of its own, or 0.0.0.0 for all"
    return None


def fault_of_port(listen: str) -> str:
    """Why a port could not be had where nothing else was in the way."""
    if is_unix(listen):
        return "the socket is in use, or cannot be made"
    host, port = _host(listen), int(listen.rpartition(":")[2])
    with contextlib.suppress(OSError):
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            cause = _bound(family, address)
            if cause == errno.EADDRINUSE:
                return "the port is in use"
            if cause == errno.EACCES:
                return "ports below 1024 are the administrator's: take a higher one"
            if cause is not None:
                return os.strerror(cause)
    return "the port is in use"


def _bound(family: int, address: tuple[object, ...]) -> int | None:
    """The error number of an attempt to bind, None where it went well."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.bind(address)
    except OSError as error:
        return error.errno
    return None


def _fault_of_socket(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path.parent, os.W_OK):
        return f"the folder {path.parent} cannot be written"
    if path.exists() and not path.is_socket():
        return f"{path} is there, and is no socket"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
            attempt.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        return None  # nobody, or what a server that was killed has left
    except OSError as error:
        return str(error)  # such as a path that is too long
    return "another server listens there"


def _host(listen: str) -> str:
    return listen.rpartition(":")[0].removeprefix("[").removesuffix("]")

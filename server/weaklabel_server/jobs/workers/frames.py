"""What the server and a worker say to each other over a Unix socket: JSON after its length, and file descriptors."""

import json
import socket
import struct
from collections import deque
from typing import Any

_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 16


class Frames:
    """One end of the socket. One thread may send while another receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._received = bytearray()
        self.descriptors: deque[int] = deque()
        """File descriptors that came, in their order. Who takes one has to close it."""

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Sends a message, and a file descriptor before it.

        Raises:
            OSError: The other end is gone.
        """
        content = json.dumps(message).encode()
        data = _LENGTH.pack(len(content)) + content
        sent = 0
        if descriptor is not None:
            sent = socket.send_fds(self._end, [data], [descriptor])
        self._end.sendall(data[sent:])

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message; None where none came within so many seconds.

        Raises:
            EOFError: The other end is gone.
        """
        while (message := self._next()) is None:
            self._end.settimeout(timeout)
            try:
                data, descriptors, _, _ = socket.recv_fds(self._end, _READ_BYTES, 1)
            except TimeoutError:
                return None
            except OSError as error:
                raise EOFError from error
            finally:
                self._end.settimeout(None)
            if not data:
                raise EOFError
            self._received += data
            self.descriptors.extend(descriptors)
        return message

    def close(self) -> None:
        """Closes this end, which the other notices."""
        self._end.close()

    def _next(self) -> dict[str, Any] | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        message: dict[str, Any] = json.loads(self._received[_LENGTH.size : end])
        del self._received[:end]
        return message

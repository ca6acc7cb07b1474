"""The data directory: its owner's alone, and of one server at a time."""

import fcntl
import os
from pathlib import Path

from weaklabel_server.store.dialects.faults import StoreUnusableError
from weaklabel_server.store.dialects.sqlite import keep_private

LOCK_FILE = "weaklabel.lock"


class FolderTakenError(StoreUnusableError):
    """Another server has the folder."""


def make_private(data_dir: Path) -> None:
    """Makes the folder if it is missing, and takes the rights of others to it and to what is in it.

    Raises:
        StoreUnusableError: It cannot be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_private(data_dir)
        for path in data_dir.iterdir():
            if path.is_file() and not path.is_symlink():
                keep_private(path)
    except OSError as error:
        raise StoreUnusableError(f"cannot write to the data directory {data_dir}: {error.strerror}") from None


def lock_data_dir(data_dir: Path) -> int:
    """Keeps other servers out of a folder, until the file descriptor returned is closed.

    Raises:
        FolderTakenError: Another server has it.
        StoreUnusableError: It cannot be written.
    """
    try:
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnusableError(f"cannot write to the data directory {data_dir}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderTakenError(f"another server has the data directory {data_dir}") from None
    return descriptor

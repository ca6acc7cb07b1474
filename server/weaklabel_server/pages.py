"""Pages of a listing. A token is opaque to callers: it holds the listing that it belongs to and the last key seen."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from weaklabel_server.errors import invalid

DEFAULT_SIZE = 50
MAX_SIZE = 1000

Key = TypeVar("Key", int, str)
Row = TypeVar("Row")


class Page(NamedTuple, Generic[Key]):
    """What part of a listing is asked for: `size` rows after the row with key `after` (None: from the start)."""

    listing: str
    size: int
    after: Key | None


def parse(listing: str, page_size: int, page_token: str, key_type: type[Key]) -> Page[Key]:
    """Reads page_size and page_token of a request; `listing` names what is listed, such as "projects/spam/models".

    Raises:
        ServiceError: INVALID_ARGUMENT when the size is negative or the token is not one of this listing.
    """
    if page_size < 0:
        raise invalid("page_size", f"{page_size} is negative; 0 means {DEFAULT_SIZE}")
    size = min(page_size, MAX_SIZE) or DEFAULT_SIZE
    return Page(listing, size, _decode(listing, page_token, key_type) if page_token else None)


def cut(page: Page[Key], rows: Sequence[Row], key: Callable[[Row], Key]) -> tuple[Sequence[Row], str]:
    """Splits up to size + 1 fetched rows into those of the page and the token of the next, empty when there is none."""
    if len(rows) <= page.size:
        return rows, ""
    kept = rows[: page.size]
    return kept, _encode(page.listing, key(kept[-1]))


def _fits(key: int | str) -> bool:
    # A forged token must not carry a number into a query that the database cannot hold.
    return isinstance(key, str) or 0 <= key < 2**63


def _encode(listing: str, key: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps([listing, key]).encode()).decode()


def _decode(listing: str, token: str, key_type: type[Key]) -> Key:
    try:
        content = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        content = None
    match content:
        case [str(name), int() | str() as key] if name == listing and type(key) is key_type and _fits(key):
            return key
    raise invalid("page_token", "it is not a next_page_token of this listing")

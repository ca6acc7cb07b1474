"""Pages of a listing. A token is opaque to callers: it holds the listing that it belongs to and the last key seen."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from weaklabel_server.errors import invalid

DEFAULT_SIZE = 50
MAX_SIZE = 1000

Key = TypeVar("Key", int, str)
Row = TypeVar("Row")
Element = TypeVar("Element", bound=Message)

_FIRST_ROWS = 8
# For the token and the tag of a response; and for the tag and the length of an element.
_OVERHEAD = 1024
_ELEMENT_OVERHEAD = 8


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


def fill(
    page: Page[Key],
    fetch: Callable[[Page[Key]], Sequence[Row]],
    *,
    key: Callable[[Row], Key],
    message: Callable[[Row], Element],
    max_bytes: int,
) -> tuple[list[Element], str]:
    """The elements of a page, and the token of the next; empty where there is none.

    They are as many as were asked for and as fit into a message; at least one.

    Args:
        page: What is asked for.
        fetch: Gets up to size + 1 rows of a page from the store. It is asked for few at a time, because each may be
            large.
        key: The key of a row.
        message: The element of a row.
        max_bytes: Of the response.
    """
    elements: list[Element] = []
    part, used = page._replace(size=min(_FIRST_ROWS, page.size)), _OVERHEAD
    while True:
        rows = fetch(part)
        for row in rows[: part.size]:
            element = message(row)
            used += element.ByteSize() + _ELEMENT_OVERHEAD
            if elements and used > max_bytes:
                return elements, _next(page, part.after)
            elements.append(element)
            part = part._replace(after=key(row))
        if len(rows) <= part.size:
            return elements, ""
        if len(elements) == page.size:
            return elements, _next(page, part.after)
        part = part._replace(size=min(2 * part.size, page.size - len(elements)))


def _next(page: Page[Key], after: Key | None) -> str:
    assert after is not None
    return _encode(page.listing, after)


def _fits(key: int | str) -> bool:
    # A forged token must not carry into a query what the database cannot hold: a number, NUL, half a surrogate pair.
    if isinstance(key, str):
        return "\0" not in key and key.isascii()
    return 0 <= key < 2**63


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

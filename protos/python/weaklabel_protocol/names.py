"""Names of sources and ids of items: what the library and the client do alike with them."""

from collections.abc import Iterable
from typing import Any

from weaklabel_protocol.errors import InvalidArgumentError


def default_sources(count: int) -> tuple[str, ...]:
    """Names for sources that have none: "source_0", "source_1", ..."""
    return tuple(f"source_{column}" for column in range(count))


def column_names(table: Any) -> list[str] | None:
    """The names of a DataFrame's columns, where all of them are str; no library is imported to find out."""
    columns = getattr(table, "columns", None)
    names = list(columns) if isinstance(columns, Iterable) else []
    return names if names and all(isinstance(name, str) for name in names) else None


def first_repeat(texts: Iterable[str]) -> tuple[str, int, int] | None:
    """The first text that stands a second time, and both of its places; None where all are distinct."""
    places: dict[str, int] = {}
    for at, text in enumerate(texts):
        if (first := places.setdefault(text, at)) != at:
            return text, first, at
    return None


def check_text(what: str, text: str) -> None:
    """Refuse a lone surrogate, which UTF-8 cannot encode.

    Raises:
        InvalidArgumentError: There is one; the message begins with what the text is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{what} is {text!r}: character {error.start} is half of a surrogate pair", field=what
        ) from None

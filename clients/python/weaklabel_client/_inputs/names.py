"""Names of sources and classes, and ids of items, as users pass them."""

from typing import Any

from weaklabel_protocol.errors import InvalidVotesError
from weaklabel_protocol.names import check_end, check_text, first_repeat

MAX_NAME = 255


def names(values: Any, count: int | None, what: str) -> tuple[str, ...]:
    """Returns names as distinct strings; integers are written out.

    Raises:
        InvalidVotesError: Not as many as expected, not distinct, empty or too long; the message names the place.
    """
    if isinstance(values, str):
        raise InvalidVotesError(f'{what}: "{values}" is one string, a sequence of names is expected', field=what)
    listed = list(values.tolist() if hasattr(values, "tolist") else values)
    if count is not None and len(listed) != count:
        raise InvalidVotesError(f"{what}: there are {len(listed)} names for {count} in votes", field=what)
    for place, value in enumerate(listed):
        if isinstance(value, int) and not isinstance(value, bool):
            listed[place] = str(value)
        elif not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
            raise InvalidVotesError(
                f"{what}: name {place} is {value!r}: a string of 1 to {MAX_NAME} characters is expected", field=what
            )
        else:
            check_text(f"{what}: name {place}", value)
            check_end(f"{what}: name {place}", value, what, InvalidVotesError)
    if repeat := first_repeat(listed):
        text, first, place = repeat
        raise InvalidVotesError(f'{what}: names {first} and {place} are both "{text}"', field=what)
    return tuple(listed)

"""Where a quote stands in a text."""

from __future__ import annotations

import re

from weaklabel.prompts.declaration.template import BREAK


def places(text: str, quote: str) -> list[tuple[int, int]]:
    """The places (start, end) of a quote in a text, up to white space: those at borders of words, if there are any."""
    words = (quote if BREAK in text else quote.replace(BREAK, "")).split()
    if not words:
        return []
    pattern = r"\s+".join(map(re.escape, words))
    before = r"(?<!\w)" if re.match(r"\w", words[0]) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", words[-1]) else ""
    return _found(before + pattern + after, text) or _found(pattern, text)


def _found(pattern: str, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(pattern, text)]

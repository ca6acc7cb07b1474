"""Hooks of the site's build: links that leave docs/ lead into the repository."""

import re
from typing import Any

OUTSIDE = re.compile(r"\]\(\.\./([^)]*)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Links of pages in docs/ itself to files beside it, which the site does not hold."""
    if "/" in page.file.src_uri:
        return markdown
    return OUTSIDE.sub(rf"]({config['repo_url']}/blob/main/\1)", markdown)

"""Pages of queries."""

from typing import Any

from sqlalchemy import ColumnElement, Select

from weaklabel_server.pages import Page


def newest_first(query: Select[Any], key: ColumnElement[int], page: Page[int]) -> Select[Any]:
    """A query for the rows of a page and one more, by descending key."""
    query = query.order_by(key.desc()).limit(page.size + 1)
    return query if page.after is None else query.where(key < page.after)

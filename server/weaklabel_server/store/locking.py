"""Rows that a transaction takes for itself, where a database lets several write at the same time."""

from typing import Any

from sqlalchemy import Connection, Select, Table

WRITES = "weaklabel_writes"
"""The execution option of connections that may write."""


def for_update(tx: Connection, query: Select[Any], table: Table) -> Select[Any]:
    """The query; in a transaction that writes, rows of the table that it finds are kept from others until the end.

    SQLite has one writer at a time and needs nothing of it.
    """
    if tx.get_execution_options().get(WRITES):
        return query.with_for_update(of=table, key_share=True)
    return query

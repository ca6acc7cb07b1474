"""Votes for ordered classes, such as ratings."""

from weaklabel.kinds.ordinal.ordinal_model import OrdinalModel

__all__ = ["OrdinalModel"]

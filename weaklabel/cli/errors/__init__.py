"""weaklabel errors: labels that are probably wrong.

command  the command, for one label an item
tags     several labels an item
"""

from weaklabel.cli.errors.command import errors

__all__ = ["errors"]

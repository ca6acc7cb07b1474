"""Errors that the library and the client share: what can be seen to be wrong before anything is computed or sent.

WeaklabelError
└── InvalidArgumentError (ValueError)   an argument that is not acceptable
    └── InvalidVotesError               votes that cannot be read as votes; names the place
"""


class WeaklabelError(Exception):
    """Base of all errors that weaklabel raises on purpose."""


class InvalidArgumentError(WeaklabelError, ValueError):
    """An argument is not acceptable; `field` names it, the message says what is wrong and what is expected."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidVotesError(InvalidArgumentError):
    """Votes cannot be read as votes; the message names the row, column or source at fault."""

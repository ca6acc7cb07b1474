"""Errors that weaklabel raises on purpose.

WeaklabelError
├── InvalidVotesError (ValueError)      votes that cannot be read as votes; names the place
├── InvalidArgumentError (ValueError)   any other argument that is not acceptable
├── NotFittedError (RuntimeError)       predict before fit
├── ModelFileError (ValueError)         a file that is not a model of this library
├── LabelingFunctionError (RuntimeError) a labeling function raised, and the run was asked to stop at errors
└── MissingExtraError (ImportError)     an optional dependency is not installed; names the extra
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


class NotFittedError(WeaklabelError, RuntimeError):
    """The model was asked to predict before it was fitted."""


class ModelFileError(WeaklabelError, ValueError):
    """A file is not a model that this version of the library can read."""


class LabelingFunctionError(WeaklabelError, RuntimeError):
    """A labeling function raised, and the run was asked to stop at errors."""


class MissingExtraError(WeaklabelError, ImportError):
    """An optional dependency is not installed; the message names the extra, `name` is the module."""

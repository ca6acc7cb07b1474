"""Errors that weaklabel raises on purpose.

WeaklabelError
├── InvalidVotesError (ValueError)      votes that cannot be read as votes; names the place
├── InvalidArgumentError (ValueError)   any other argument that is not acceptable
├── NotFittedError (RuntimeError)       predict before fit
├── ForkedProcessError (RuntimeError)   fit or predict in a process that was forked after JAX had started
├── ModelFileError (ValueError)         a file that is not a model of this library
├── LabelingFunctionError (RuntimeError) a labeling function raised, and the run was asked to stop at errors
└── MissingExtraError (ImportError)     an optional dependency is not installed; names the extra
"""

from weaklabel_protocol.errors import InvalidArgumentError, InvalidVotesError, WeaklabelError

__all__ = [
    "ForkedProcessError",
    "InvalidArgumentError",
    "InvalidVotesError",
    "LabelingFunctionError",
    "MissingExtraError",
    "ModelFileError",
    "NotFittedError",
    "WeaklabelError",
]


class NotFittedError(WeaklabelError, RuntimeError):
    """The model was asked to predict before it was fitted."""


class ForkedProcessError(WeaklabelError, RuntimeError):
    """This process was forked from one in which JAX ran, and JAX does not survive a fork."""


class ModelFileError(WeaklabelError, ValueError):
    """A file is not a model that this version of the library can read."""


class LabelingFunctionError(WeaklabelError, RuntimeError):
    """A labeling function raised, and the run was asked to stop at errors."""


class MissingExtraError(WeaklabelError, ImportError):
    """An optional dependency is not installed; the message names the extra, `name` is the module."""

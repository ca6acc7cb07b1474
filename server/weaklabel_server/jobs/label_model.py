"""The label model's class, loaded late; how far its fit is; how much it may label at once; files that are none."""

import math
from typing import TYPE_CHECKING

from weaklabel._archive import TooLargeError
from weaklabel.errors import ModelFileError
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.store.operations import Progress, Stage

MOST_TEXT = 200
"""Characters of what went wrong, which may quote a file."""

if TYPE_CHECKING:
    from weaklabel.model import FitProgress, LabelModel


def label_model_class() -> "type[LabelModel]":
    """weaklabel.model.LabelModel. JAX takes seconds to load: the server answers calls before that."""
    import jax

    from weaklabel.model import LabelModel
    from weaklabel.model.numerics.jax_settings import keep_own_settings

    # Programs run in the thread that calls them: another one takes longer to wake than a few rows to label.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    keep_own_settings()

    return LabelModel


def fitting(step: "FitProgress") -> Progress:
    """The progress of a fit in its iterations."""
    return Progress(
        Stage.FITTING,
        iteration=step.iteration,
        max_iterations=step.max_iter,
        objective=0.0 if math.isnan(step.objective) else step.objective,
        change=step.change,
    )


def check_label_cells(rows: int, n_classes: int, max_cells: int) -> None:
    """Refuses soft labels that would take more memory than a server has.

    Raises:
        ServiceError: LABELS_TOO_LARGE.
    """
    if rows * n_classes > max_cells:
        raise ServiceError(
            Reason.LABELS_TOO_LARGE,
            f"{rows} items x {n_classes} classes are more than the {max_cells} cells that this server "
            "labels at once; see WEAKLABEL_MAX_LABEL_CELLS",
        )


def unsuitable(why: str) -> ServiceError:
    """A file is no model of the project."""
    return invalid("data", why, reason=Reason.MODEL_FILE_UNSUITABLE)


def unreadable(error: ModelFileError) -> ServiceError:
    """A file is no model, or a larger one than allowed."""
    if isinstance(error.__cause__, TooLargeError):
        return ServiceError(Reason.MODEL_TOO_LARGE, f"{error}; see WEAKLABEL_MAX_MODEL_BYTES")
    return unsuitable(str(error)[:MOST_TEXT])


def damaged(error: Exception) -> ServiceError:
    """A file holds what no model does."""
    return unsuitable(f"it is damaged: {type(error).__name__}: {str(error)[:MOST_TEXT]}")

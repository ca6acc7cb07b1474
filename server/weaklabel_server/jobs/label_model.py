"""The label model's class, loaded late; how much it may label at once."""

from typing import TYPE_CHECKING

from weaklabel_server.errors import Reason, ServiceError

if TYPE_CHECKING:
    from weaklabel.model import LabelModel


def label_model_class() -> "type[LabelModel]":
    """weaklabel.model.LabelModel. JAX takes seconds to load: the server answers calls before that."""
    import jax

    from weaklabel.model import LabelModel

    # Programs run in the thread that calls them: another one takes longer to wake than a few rows to label.
    jax.config.update("jax_cpu_enable_async_dispatch", False)

    return LabelModel


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

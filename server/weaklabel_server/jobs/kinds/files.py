"""Files of models of label spaces that come from outside: read, and checked against the project."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaklabel.errors import ModelFileError
from weaklabel_protocol.columns import Texts
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.kinds.fit import summary_of
from weaklabel_server.jobs.kinds.kind import Kind, Tables
from weaklabel_server.jobs.label_model import damaged, unreadable, unsuitable
from weaklabel_server.messages.checks import MAX_SOURCES, check_names
from weaklabel_server.messages.models import MAX_ITERATIONS, model_message
from weaklabel_server.store.models import Model, ModelSummary
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.projects import Project

_MOST_TOLD = 4 * 1024 * 1024
"""Bytes of what a model tells of itself."""
_LEAST_TOL, _MOST_EXACT_ITERATIONS = 1e-6, 1_000
"""Below such a tolerance iterations end by their number alone, of which there are no more then."""
_SUM_ERROR = 1e-3


def read_kind_model(kind: Kind[Any], data: bytes, project: Project, *, max_bytes: int) -> Any:
    """A model out of a file that anybody may have written: of the kind of the project, and fit for use.

    Raises:
        ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE.
    """
    try:
        model = kind.open(data, max_bytes)
        if fault := kind.fault(model):
            raise unsuitable(fault)
        check_names(_sources(model), field="data", what="sources", limit=MAX_SOURCES)
        _check_work(model)
        _check_told(summary_of(kind, model, None, FitSettings()), project)
        _check_labels(kind.predict(model, kind.probe(model), {}))
    except (MemoryError, ServiceError):
        raise
    except ModelFileError as error:
        raise unreadable(error) from error
    except Exception as error:  # what damaged numbers bring about is not known
        raise damaged(error) from error
    return model


def _sources(model: Any) -> Sequence[str]:
    names: Sequence[str] = model.judges_ if hasattr(model, "judges_") else model.source_names
    return names


def _check_work(model: Any) -> None:
    """Refuses a model that would iterate for ever where it labels."""
    most, tol = getattr(model, "max_iter", 1), getattr(model, "tol", 0.0)
    if not 1 <= most <= MAX_ITERATIONS or not tol >= 0:
        raise unsuitable(f"its max_iter is not between 1 and {MAX_ITERATIONS}, or its tol is below 0")
    if tol < _LEAST_TOL and most > _MOST_EXACT_ITERATIONS:
        raise unsuitable(f"its max_iter is above {_MOST_EXACT_ITERATIONS} while its tol is below {_LEAST_TOL:g}")


def _check_told(summary: ModelSummary, project: Project) -> None:
    """Refuses a model that cannot be told of."""
    told = Model(key=0, model_id="", votes_version=0, item_count=0, summary=summary, create_time=0)
    size = model_message(project, told).ByteSize()
    if size > _MOST_TOLD:
        raise unsuitable(f"it tells {size} bytes of itself, and {_MOST_TOLD} are the most")


def _check_labels(tables: Tables) -> None:
    """Refuses labels that are no numbers, and probabilities that are none."""
    for table in tables.values():
        shares = []
        for name, column in table.columns.items():
            if isinstance(column, Texts):
                continue
            if not np.isfinite(column).all():
                raise unsuitable(f'it is damaged: its labels hold numbers that are not finite, in "{name}"')
            if name.startswith("probability"):
                shares.append(np.asarray(column, np.float64))
        if shares and not ((np.min(shares) >= -_SUM_ERROR) and (np.max(shares) <= 1 + _SUM_ERROR)):
            raise unsuitable("it is damaged: probabilities lie between 0 and 1")
        if len(shares) > 1 and not np.allclose(np.sum(shares, 0), 1, atol=_SUM_ERROR):
            raise unsuitable("it is damaged: the probabilities that it gives do not sum to one")

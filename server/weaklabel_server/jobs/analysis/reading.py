"""What reports are made of: votes, stored labels and side data, within limits. It blocks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.errors import InvalidArgumentError, InvalidVotesError, WeaklabelError
from weaklabel.votes import Votes
from weaklabel_server import names
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs.analysis.labels import stored_labels
from weaklabel_server.jobs.label_model import check_label_cells
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.store import models, projects, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import Model
from weaklabel_server.store.votes import View


class StoredModel:
    """A fitted model as weaklabel.analysis asks for one, whose soft labels of its votes are those that are stored."""

    def __init__(self, model: LoadedModel, soft_labels: NDArray[np.float32]) -> None:
        fitted = model.label_model
        self.classes = fitted.classes
        self.source_names = fitted.source_names
        self.source_accuracy = fitted.source_accuracy
        self.diagnostics = fitted.diagnostics
        self._soft_labels = soft_labels

    def predict_proba(self, given: Votes) -> NDArray[np.float32]:  # noqa: ARG002  # they are the same for all
        """[N, K] those that are stored."""
        return self._soft_labels


class Reader:
    """Reads for reports."""

    def __init__(self, database: Database, predictor: Predictor, *, max_label_cells: int, max_votes: int) -> None:
        self._database = database
        self._predictor = predictor
        self._max_label_cells = max_label_cells
        self._max_votes = max_votes

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the store."""
        return self._database.read()

    def load(self, name: str) -> LoadedModel:
        """A model by its resource name; raises as Predictor.load."""
        return self._predictor.load(name)

    def view_of(self, tx: Connection, model: LoadedModel) -> tuple[Model, View]:
        """A model as it is stored, and the votes that it labeled.

        Raises:
            ServiceError: MODEL_NOT_FOUND, NO_SOFT_LABELS, VOTES_VERSION_NOT_FOUND.
        """
        project_id, model_id = names.parse_model(model.name, field="model")
        stored = models.get(tx, projects.get(tx, project_id), model_id)
        models.check_labeled(stored)
        return stored, votes.view(tx, project_id, stored.votes_version)

    def labels_of(self, tx: Connection, stored: Model, view: View) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """The stored soft labels [N, K] and hard labels [N] of a model.

        Raises:
            ServiceError: LABELS_TOO_LARGE, MODEL_NOT_FOUND.
        """
        check_label_cells(view.item_count, view.n_classes, self._max_label_cells)
        return stored_labels(tx, stored)

    def votes(self, tx: Connection, view: View, item_ids: Sequence[str] | None = None) -> Votes:
        """The votes of a version, with the ids of their items where they are given.

        Raises:
            ServiceError: NO_VOTES, LABELS_TOO_LARGE.
        """
        self.check_size(tx, view)
        return votes.read(tx, view, item_ids)

    def check_size(self, tx: Connection, view: View) -> None:
        """Refuses votes of which no report is made: none, or too many; raises as `votes`."""
        votes.check_not_empty(view)
        check_label_cells(view.item_count, view.n_classes, self._max_label_cells)
        n_votes = votes.extent(tx, view).votes
        if n_votes > self._max_votes:
            raise ServiceError(
                Reason.LABELS_TOO_LARGE,
                f"{n_votes} votes are more than the {self._max_votes} of which this server makes reports; see "
                "WEAKLABEL_MAX_ANALYSIS_VOTES",
            )


@contextmanager
def refusals(fields: Mapping[str, str] | None = None) -> Iterator[None]:
    """What the library refuses, as an error of the service.

    Args:
        fields: The fields of the request by the arguments of the library, where they have other names.
    """
    named: Mapping[str, Any] = fields or {}
    try:
        yield
    except InvalidVotesError as error:
        raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
    except InvalidArgumentError as error:
        if error.field == "votes":
            raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error
        raise invalid(named.get(error.field or "", error.field) or "model", str(error)) from error
    except WeaklabelError as error:
        raise ServiceError(Reason.VOTES_UNSUITABLE, str(error)) from error

"""What sources do, one by one and two by two, and scores of slices. They block."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import Connection

from weaklabel.errors import InvalidVotesError
from weaklabel.votes import Votes
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.analysis.labels import check_source
from weaklabel_server.jobs.analysis.reading import Reader, StoredModel, refusals
from weaklabel_server.jobs.analysis.slicing import Table, read_slices
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.messages.analysis.inspection import SlicedBy
from weaklabel_server.store import items, models, votes
from weaklabel_server.store.votes import View

if TYPE_CHECKING:
    from weaklabel.analysis import ContestedItems, Mistakes, Reliability, ScoreTable, SourceConfusions, SourcePairs

MOST_PAIRED = 2_000
"""Sources of matrices of all pairs."""
MOST_CELLS = 2**22
"""Of confusion matrices: each takes some 50 bytes while they are made and sent."""
MOST_CONTESTED = 10_000
MOST_DRAWS = 10_000

_TRUTH = {"truth": "gold", "n": "item_limit", "n_bootstrap": "bootstrap_draws"}
"""Fields of requests by the arguments of the library, where they have other names."""


def check_pairs(view: View) -> None:
    """Refuses matrices of all pairs of too many sources.

    Raises:
        ServiceError: RESULT_TOO_LARGE.
    """
    if len(view.source_names) > MOST_PAIRED:
        raise ServiceError(
            Reason.RESULT_TOO_LARGE,
            f"pairs of {len(view.source_names)} sources are more than those of {MOST_PAIRED}",
        )


class Contested(NamedTuple):
    """Contested items of a version of the votes."""

    version: int
    sources: tuple[str, ...]
    found: "ContestedItems"
    item_ids: list[str]
    """Empty where the project does not name items."""


class Inspection:
    """Looks at sources. All raise ServiceError: NO_VOTES, LABELS_TOO_LARGE, RESULT_TOO_LARGE, VOTES_UNSUITABLE,
    INVALID_FIELD, and what reading models and side data raises.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def reliability(
        self, project_id: str, votes_version: int, metric: str, *, confidence: float, n_bootstrap: int, seed: int
    ) -> "tuple[int, Reliability]":
        """The version of the votes, and weaklabel.analysis.krippendorff_alpha of it; fleiss_kappa for "fleiss"."""
        from weaklabel.analysis import fleiss_kappa, krippendorff_alpha

        if n_bootstrap > MOST_DRAWS:
            raise invalid("bootstrap_draws", f"at most {MOST_DRAWS}, got {n_bootstrap}")
        with self._reader.begin() as tx:
            view = votes.view(tx, project_id, votes_version)
            matrix = self._reader.votes(tx, view)
        options: dict[str, Any] = {"confidence": confidence, "n_bootstrap": n_bootstrap, "seed": seed}
        with refusals(_TRUTH):
            if metric == "fleiss":
                return view.version, fleiss_kappa(matrix, **options)
            return view.version, krippendorff_alpha(matrix, metric, **options)  # type: ignore[arg-type]

    def pairs(self, model: LoadedModel, gold: str | None) -> "tuple[tuple[str, ...], SourcePairs]":
        """The names of all sources, and weaklabel.analysis.source_pairs."""
        from weaklabel.analysis import source_pairs

        with self._reader.begin() as tx:
            _, view = self._reader.view_of(tx, model)
            check_pairs(view)
            matrix, truth = self._read(tx, model, gold)
        with refusals(_TRUTH):
            return view.source_names, source_pairs(matrix, truth)

    def confusions(self, model: LoadedModel, gold: str | None, sources: Sequence[str]) -> "SourceConfusions":
        """weaklabel.analysis.source_confusions; of all sources where none are named."""
        from weaklabel.analysis import source_confusions

        with self._reader.begin() as tx:
            _, view = self._reader.view_of(tx, model)
            for at, source in enumerate(sources):
                check_source(view, source, field=f"sources[{at}]")
            cells = len(sources or view.source_names) * view.n_classes**2
            if cells > MOST_CELLS:
                raise ServiceError(
                    Reason.RESULT_TOO_LARGE, f"{cells} cells are more than {MOST_CELLS}: name some of the sources"
                )
            matrix, truth = self._read(tx, model, gold)
        with refusals(_TRUTH):
            return source_confusions(matrix, truth, classes=view.project.classes, sources=sources or None)

    def contested(self, project_id: str, votes_version: int, model: LoadedModel | None, n: int) -> Contested:
        """weaklabel.analysis.contested_items; of the votes that a model labeled, or of a version without one."""
        from weaklabel.analysis import contested_items

        if not 1 <= n <= MOST_CONTESTED:
            raise invalid("item_limit", f"1 to {MOST_CONTESTED}, got {n}")
        judge: StoredModel | None = None
        with self._reader.begin() as tx:
            if model is None:
                view = votes.view(tx, project_id, votes_version)
                matrix = self._reader.votes(tx, view)
            else:
                stored, view = self._reader.view_of(tx, model)
                if votes_version not in (0, view.version):
                    raise invalid("votes_version", f"the model has labeled version {view.version}, got {votes_version}")
                matrix = self._reader.votes(tx, view)
                judge = StoredModel(model, self._reader.labels_of(tx, stored, view)[0])
                if set(view.source_names) != set(judge.source_names):  # those of an uploaded model may be fewer
                    matrix = matrix.select_sources([one for one in view.source_names if one in judge.source_names])
            with refusals(_TRUTH):
                if not matrix.is_plain:
                    raise InvalidVotesError("plain votes only: the answer has one class a vote", field="votes")
                found = contested_items(matrix, judge, n, classes=view.project.classes)
            item_ids = items.ids_at(tx, view.project, found.items.tolist())
        return Contested(view.version, matrix.source_names, found, item_ids)

    def mistakes(self, model: LoadedModel, gold: str | None, source: str, by: SlicedBy | None) -> "Mistakes":
        """weaklabel.analysis.where_wrong."""
        from weaklabel.analysis import where_wrong

        with self._reader.begin() as tx:
            _, view = self._reader.view_of(tx, model)
            check_source(view, source, field="source")
            matrix, truth = self._read(tx, model, gold)
            slices = None if by is None else read_slices(tx, view, by)
        with refusals(_TRUTH):
            return where_wrong(matrix, source, truth, by=slices, classes=view.project.classes)

    def scores(
        self, model: LoadedModel, gold: str, metrics: Sequence[str], positive: int | None, by: SlicedBy | None
    ) -> "ScoreTable":
        """LabelModel.score_by of the stored labels; without slices its first line, of all items."""
        from weaklabel.analysis.scores import Predictions, check_metrics, positive_class, score_slices

        if not metrics:
            raise invalid("metrics", "at least one is expected")
        with refusals():
            chosen = positive_class(positive, model.label_model.classes)
            check_metrics(metrics, model.n_classes, chosen)
        with self._reader.begin() as tx:
            stored, view = self._reader.view_of(tx, model)
            truth = side_data.read_gold(tx, view, gold, field="gold")
            known = truth >= 0
            if not known.any():
                raise invalid("gold", "gold holds no label")
            slices = Table({}) if by is None else read_slices(tx, view, by)
            soft, labels = models.soft_labels_at(tx, stored, np.flatnonzero(known))
        predictions = Predictions(soft.astype(np.float64), labels, truth[known], chosen)
        with refusals():
            return score_slices(predictions, list(dict.fromkeys(metrics)), slices, known, None)

    def _read(self, tx: Connection, model: LoadedModel, gold: str | None) -> tuple[Votes, Any]:
        """The votes that a model labeled, and what they are judged by: gold, or the model itself."""
        stored, view = self._reader.view_of(tx, model)
        matrix = self._reader.votes(tx, view)
        if gold is not None:
            return matrix, side_data.read_gold(tx, view, gold, field="gold")
        return matrix, StoredModel(model, self._reader.labels_of(tx, stored, view)[0])

"""Fits and models, also as files."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weaklabel_client._inputs.side_data import GoldSampling, fit_side_data
from weaklabel_client._protocol import calls, model_calls
from weaklabel_client._protocol.kind_options import kind_options
from weaklabel_client._protocol.report_job import UploadModelJob, model_bytes
from weaklabel_client._results.types import (
    Model,
)
from weaklabel_client._sync.asking import Asking
from weaklabel_client._sync.operations import FitOperation


class Models(Asking):
    """The methods of a client about models."""

    def fit(
        self,
        project: str,
        *,
        votes_version: int | None = None,
        seed: int = 0,
        max_iter: int | None = None,
        gold: Any = None,
        gold_error: float = 0.0,
        gold_weight: Any = None,
        gold_sampling: GoldSampling = "auto",
        prior: Any = None,
        groups: Any = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Any = None,
        features: Any = None,
        families: Mapping[str, str] | None = None,
        items: Iterable[str] | None = None,
        options: Mapping[str, Any] | None = None,
        follow: bool = False,
        over_time: bool = False,
        timeout: float | None = None,
    ) -> FitOperation:
        """Starts to fit a model on the server, and returns at once.

        Args:
            project: The project.
            votes_version: The version of the votes to fit on; the newest by default.
            seed: For what is random in a fit. The same seed on the same votes gives the same model.
            max_iter: Limit of EM iterations; the server's by default.
            gold: True classes of items, or sets of classes that hold them: one_of(0, 2), not_(1). This and the next
                ones are side data: arrays, which are uploaded first, or what upload_side_data returned. See there.
            gold_error: Share of gold that may be wrong, 0 to below 1.
            gold_weight: How many items each label of gold stands for, relative to the others, as next_to_label gives
                it. Side data, too; None for the same of all.
            gold_sampling: How items with gold were drawn: "random"; "by_class", so many of each class, which says
                nothing of the class balance; or "auto", by class if all classes have as many labels, two or more.
            prior: Beliefs about the class of each item.
            groups: The group of each item: groups have a class balance each.
            bounds: By source, the accuracies (low, high) within which a person is sure.
            bags: Declarations about the classes of several items together: see class_counts, same_label, ...
            features: Features of each item.
            families: Family of sources by name, such as the language model behind several prompts: sources of one
                family count as half copies of each other at least.
            items: N ids of the items of arrays of side data, for a project that names its items.
            options: By the label space: "common_error" of ordered classes, "threshold" of trees, above which a node
                must be to be a label; of the others see fit_records.
            follow: Whether each later version of the votes is fitted with these settings, too, until stop_following:
                the newest model is then one of the newest votes. Side data that is given here stays as it is.
            over_time: Whether the skill of a source may change from upload to upload: the time of an item is when its
                first votes were uploaded. Model.skill_jumps tells when skills jumped. Without side data.
            timeout: Seconds for the start, instead of the client's.

        Raises:
            ValueError: Side data cannot be read.
            FailedPrecondition: The project has no votes.
        """
        kinds = {"gold": gold, "gold_weight": gold_weight, "prior": prior, "groups": groups}
        side_data = fit_side_data(items, **kinds, features=features, bags=bags)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (self._connection.upload_side_data(project, kind, values, items=ids)).name
        side = calls.side_information(project, side_data.names, gold_error, gold_sampling, bounds, families)
        given = kind_options(options)
        call = calls.fit(project, votes_version, seed, max_iter, side, given, follow=follow, over_time=over_time)
        return FitOperation(self._connection, self._connection.perform(call, timeout))

    def stop_following(self, project: str, *, timeout: float | None = None) -> None:
        """Ends what fit(follow=True) began; fits that wait or run go on."""
        self._connection.perform(calls.stop_following(project), timeout)

    def operation(self, name: str, *, timeout: float | None = None) -> FitOperation:
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self._connection, self._connection.perform(calls.get_operation(name), timeout))

    def list_operations(self, project: str) -> Iterator[FitOperation]:
        """The fits of a project, newest first."""
        for message in self._connection.pages(calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self._connection, message)

    def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return self._connection.perform(calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> Iterator[Model]:
        """The models of a project, newest first."""
        return self._connection.pages(calls.list_models(project))

    def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        self._connection.perform(calls.delete_model(project, model), timeout)

    def download_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> bytes:
        """The file of a model, which its from_bytes in weaklabel reads; the newest unless one is named."""
        return self._connection.collect(model_calls.download_model(project, model), timeout)

    def upload_model(
        self, project: str, model: Any, *, votes_version: int | None = None, timeout: float | None = None
    ) -> Model:
        """Takes a model that was fitted elsewhere into a project, as a model like others.

        Args:
            project: The project. Its label space is that of the model: classes, or tags, are the same, in order. Where
                it is of classes and has votes, the sources of the model are among theirs.
            model: A weaklabel.LabelModel, or in a project of another label space its model, such as
                weaklabel.NumericModel; or the bytes of one.
            votes_version: The version of the votes to label, 0 for the newest; None for predictions only. Records have
                no versions.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            TypeError: It is neither.
            InvalidArgument: It cannot be read, or does not fit the project.
        """
        job = UploadModelJob(project, model_bytes(model), votes_version, calls.new_request_id())
        (uploaded,) = self._connection.converse(job, (), timeout)
        return uploaded

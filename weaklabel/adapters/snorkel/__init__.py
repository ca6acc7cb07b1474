"""Snorkel's names: a script that was written for it runs with other imports, and this library's label model.

All names stand here, whichever module of Snorkel has them::

    from weaklabel.adapters.snorkel import LFAnalysis, LabelModel, PandasLFApplier, labeling_function

Votes are arrays [N, M] with -1 for an abstain, as there; labels, scores and tables have the same shapes and columns.
What has no meaning here (`n_epochs=`, `lr=`) warns, and what is called otherwise is an error that says how.
`from_snorkel` takes labeling functions that Snorkel itself has made to `weaklabel.apply`.
"""

from typing import Any

from weaklabel.adapters._arguments import missing_name
from weaklabel.adapters.snorkel.analysis import LFAnalysis
from weaklabel.adapters.snorkel.appliers import (
    ApplierMetadata,
    LFApplier,
    PandasLFApplier,
    PandasSFApplier,
    SFApplier,
    slice_dataframe,
)
from weaklabel.adapters.snorkel.functions import (
    LabelingFunction,
    SlicingFunction,
    from_snorkel,
    labeling_function,
    nlp_labeling_function,
    preprocessor,
    slicing_function,
)
from weaklabel.adapters.snorkel.models import LabelModel, MajorityLabelVoter
from weaklabel.adapters.snorkel.scoring import (
    Scorer,
    filter_unlabeled_dataframe,
    get_label_buckets,
    get_label_instances,
    metric_score,
    preds_to_probs,
    probs_to_preds,
)
from weaklabel.adapters.spacy import SpacyPreprocessor

__all__ = [
    "ApplierMetadata",
    "LFAnalysis",
    "LFApplier",
    "LabelModel",
    "LabelingFunction",
    "MajorityLabelVoter",
    "PandasLFApplier",
    "PandasSFApplier",
    "SFApplier",
    "Scorer",
    "SlicingFunction",
    "SpacyPreprocessor",
    "filter_unlabeled_dataframe",
    "from_snorkel",
    "get_label_buckets",
    "get_label_instances",
    "labeling_function",
    "metric_score",
    "nlp_labeling_function",
    "preds_to_probs",
    "preprocessor",
    "probs_to_preds",
    "slice_dataframe",
    "slicing_function",
]

_INSTEAD = {
    "DaskLFApplier": "weaklabel.apply(functions, data, n_jobs=...) uses several processes",
    "PandasParallelLFApplier": "weaklabel.apply(functions, data, n_jobs=...) uses several processes",
    "SparkLFApplier": "collect the frame in parts, and put the votes together by Votes.concatenate_items",
    "MajorityClassVoter": "numpy.tile(balance, (len(L), 1)) is that baseline",
    "RandomVoter": "numpy.random.default_rng().random((len(L), n_classes)) is that baseline",
    "SparseLabelModel": "weaklabel.LabelModel takes Votes.from_triples",
    "SparkNLPLabelingFunction": "it is nlp_labeling_function in Spark",
    "Preprocessor": "write a function item -> item, and decorate it with @preprocessor()",
    "SliceAwareClassifier": "classifiers are trained elsewhere, on the soft labels; see weaklabel.training",
    "MultitaskClassifier": "classifiers are trained elsewhere, on the soft labels; see weaklabel.training",
    "Trainer": "classifiers are trained elsewhere, on the soft labels; see weaklabel.training",
    "transformation_function": "this library does not augment data",
    "PandasTFApplier": "this library does not augment data",
}


def __getattr__(name: str) -> Any:
    raise missing_name(__name__, name, _INSTEAD)

"""Other packages' habits and files: a module each, which imports its package only where it is used.

| module | of |
|---|---|
| `snorkel` | labeling functions, appliers, analysis, label models and slices under Snorkel's names |
| `crowdkit` | Dawid-Skene, majority vote and Wawa on frames of task, worker and label |
| `cleanlab` | multi-annotator frames, label issues |
| `wrench` | JSON data sets of WRENCH |
| `spacy`, `skweak` | documents as items, span groups as votes |
| `datasets` | Hugging Face Datasets: votes and soft labels as columns |
| `sklearn` | a label model as a step of a pipeline |
| `torch` | data sets and a loss for soft labels, for loops of one's own and for Trainer |
| `label_studio`, `argilla`, `doccano` | exports as votes; pre-annotations and review queues |
"""

from weaklabel.adapters._arguments import AdapterWarning

__all__ = ["AdapterWarning"]

"""Annotation tools: what people said in them as votes, and soft labels as what they see next.

`label_studio`, `argilla` and `doccano` each read their tool's export, and write its imports: pre-annotations for all
items, or with `n=` a review queue of the items that the model is least sure of, in that order.
"""

from weaklabel.adapters.annotation.records import Exported, write_entries

__all__ = ["Exported", "write_entries"]

"""Trees of classes: votes at any level, labels at any level, maps between taxonomies, classes that are added later.

The label model is `LabelModel` over the leaves: a vote for an inner node is a vote for one of its leaves. A taxonomy
turns names of nodes into such votes, and soft labels of leaves into those of nodes::

    taxonomy = Taxonomy.from_parents({"oak": "tree", "fir": "tree", "rose": "flower", "lily": "flower"})
    votes = taxonomy.votes([["oak", "tree"], ["flower", "rose"]])
    soft_labels = LabelModel(classes=taxonomy.leaves).fit(votes).predict_proba(votes)
    nodes = taxonomy.predict(soft_labels, threshold=0.8)
"""

from weaklabel.kinds.trees.growth import predict_proba_grown
from weaklabel.kinds.trees.mapping import MappedLabels, MappedVotes, TaxonomyMap
from weaklabel.kinds.trees.taxonomy import Taxonomy

__all__ = ["MappedLabels", "MappedVotes", "Taxonomy", "TaxonomyMap", "predict_proba_grown"]

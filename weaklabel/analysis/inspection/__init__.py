"""Looking closer: what sources mistake for what, which depend on each other, what they fight over, what each is worth.

truth       labels that sources are judged by: gold, soft labels, or those of a model
confusions  what each source says of each class, with intervals
pairs       each two sources: agreement, correlation of errors, copies
contested   items that sources fight over
without     what changes without a source
mistakes    where a source is wrong
"""

from weaklabel.analysis.inspection.confusions import SourceConfusions, source_confusions
from weaklabel.analysis.inspection.contested import ContestedItems, contested_items
from weaklabel.analysis.inspection.mistakes import Mistakes, where_wrong
from weaklabel.analysis.inspection.pairs import SourcePairs, source_pairs
from weaklabel.analysis.inspection.without import LeaveOneOut, leave_one_source_out

__all__ = [
    "ContestedItems",
    "LeaveOneOut",
    "Mistakes",
    "SourceConfusions",
    "SourcePairs",
    "contested_items",
    "leave_one_source_out",
    "source_confusions",
    "source_pairs",
    "where_wrong",
]

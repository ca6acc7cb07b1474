"""Sets of tags: what sources that list some of many tags say of the tags of an item."""

from weaklabel.kinds.tags.model import TagModel
from weaklabel.kinds.tags.votes import TagVotes

__all__ = ["TagModel", "TagVotes"]

"""The constants of the tag model, with the reason of each. Those of benchmarks were chosen on the two sets there."""

SHARE_PRIOR = 0.4
"""Votes that join those of a cell, half of them yes: without any, a single vote would be certain."""
POOLED_VOTES = 10.0
"""Votes at the rates of all sources and tags that join those of a source, and those of a tag."""
PAIR_VOTES = 20.0
"""Votes at the rates of its source and its tag that join those of the pair: long tails have few of their own."""
RATE_PRIOR = (0.5, 0.5, 0.1)
"""Votes no, yes and omitted that join those of all sources and tags."""
WEIGHT_POWER = 0.75
"""Power of a source's evidence that weighs its votes: sources of a tag err alike more often than by chance, so that
weights that are right for independent sources are too unequal."""
OMISSION_POWER = 0.75
"""The same for what an omission weighs beside a listed tag: three
quarters of the way, in logs, from a plain no to what was learned."""
LEAST_OMISSION = 0.02
"""Weight of an omission at least: one that weighs nothing makes every listed tag a yes."""
LEAST_WEIGHT = 0.2
MOST_WEIGHT = 4.0
"""Bounds of a vote's weight, 1 in the mean."""
CORRELATED = 0.7
"""Share of what a linear regression on the other tags says that is added to a tag's log odds."""
RIDGE = 20.0
"""Items that say that tags are not correlated."""
MOST_CORRELATED = 200
"""Tags, the most often listed, of which correlations are looked at."""
SHIFT_PRIOR = 0.25
"""Precision of the shift of log odds by gold, about 0; and of the log of their slope."""
TAG_SHIFT_PRIOR = 2.0
"""Precision of a tag's own shift about the shared one: some ten cells with gold move it half way."""
MOST_CELLS = 2 * 10**8
"""Items x tags that a dense answer may have."""
F1_TAGS = 24
"""Most probable tags of an item that sets of most expected F1 are chosen of exactly."""

"""The constants of the numeric model, with the reason of each."""

SOURCE_PRIOR = 0.5
"""Votes at the pooled variance that join those of a source: few, since sources differ by orders of magnitude; enough to
keep one whose two votes were lucky from deciding every item it votes on."""
ITEM_PRIOR = 20.0
"""Votes at the pooled variance that join those of an item: an item has few votes, and a difficulty that follows them
freely lets easy items decide which sources are good."""
GAIN_PRIOR_SD = 1.0
"""Standard deviation of a source's gain about 1 before its votes are seen: anything from none to twice the scale."""
LEAST_GAIN = 0.1
MOST_GAIN = 9.0
"""Bounds of the gain where it weighs a source."""
GROSS_SHARE = 1e-5
"""Share of votes that have nothing to do with the item, such as a wrong unit, before votes are seen: a vote is taken
for one from five or six standard deviations on. What is less far off may be all that says that a value is high."""
GROSS_RANGE = 10.0
"""Width of the flat distribution of such votes, in spreads of all values."""
FARTHEST = 1e6
"""Spreads from the center that values are cut at: float32 holds their squares."""
WILD = 5.0
"""Spreads of all values from the median of its item at which a vote is left out of the first estimate."""
COMMON_ERROR = 0.45
"""Variance of the error that the sources of an item share, as a share of the variance of one vote. Votes alone cannot
show it. Between .3 and .5 does as well on the sets of docs/numbers.md."""
SCATTER_PRIOR = 1.0
"""Degrees of freedom at the expected variance that join the scatter of an item's votes."""
DEGREES_OF_FREEDOM = 4.0
"""Of the predictive t distribution, whose scale gives it the 90 % interval of a normal."""
SHIFT_VARIANCE = 0.25
"""Variance of the shift that all sources share, in predictive standard deviations, where there is one."""
SHIFT_CHANCE = 0.5
"""Probability that there is one, before gold is seen."""
GOLD_NOISE_PRIOR = 2.0
"""Gold items at variance one that join the gold in the variance of its errors."""
GOLD_WIDTH_PRIOR = 10.0
"""Gold items at the predicted variance that join the gold in the width of intervals."""
LEAST_SHRINKAGE = 4.0
"""Gold votes, without shift, that join those of a source in its shift, at least."""
LEAST_VARIANCE = 1e-10
"""Of the pooled error, in squared spreads: votes that all agree have none."""
FEWEST_PER_ITEM = 3
"""Votes an item, in the mean, below which scatter says little, and diagnostics say so."""
EXACT_VARIANCE = 0.01
"""Share of the pooled variance below which a source that repeats consensus exactly is named by diagnostics."""

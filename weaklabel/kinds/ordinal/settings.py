"""The constants of the ordinal model, with the reason of each."""

SHARPNESS_PRIOR = 6.0
"""Precision of the log of a source's sharpness about 0: most sources within a factor of two of each other."""
THRESHOLD_PRIOR = 4.0
"""Precision of a source's thresholds about the common ones: half a logit is usual."""
COMMON_PRIOR = 0.1
"""Precision of positions and common thresholds about 0: it only keeps them finite."""
BALANCE_PRIOR = 50.0
"""Items that join those of each class in the class balance: where all sources lean the same way, the balance and the
common thresholds say the same of the votes, and a few hundred items cannot tell them apart."""
START_SPAN = 4.0
"""Logits between the lowest and the highest vote that the outermost classes differ by at the start."""
LOG_SHARPNESS = (-4.0, 2.0)
"""Bounds of the log of a source's sharpness."""
NEWTON_STEPS = 2
"""Newton steps of each block in an M-step."""
DAMPING = 0.7
"""Share of a Newton step that is tried; it is kept where the objective rises."""
COMMON_ERROR = 0.2
"""Correlation of the errors of an item's sources: n votes weigh n / (1 + c (n - 1)), Kish's design effect. Votes alone
cannot show it. Between .1 and .45 does as well on the sets of docs/numbers.md."""
SHARE_MIXTURE = 0.3
"""Share of the smoothed vote shares in the soft labels: what the model is wrong about, they are not sure of."""
SHARE_PSEUDO_VOTES = 0.5
"""Votes for each class that smooth the shares."""

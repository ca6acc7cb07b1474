"""Constants of the preference model. See docs/preferences.md, section "How it works"."""

from __future__ import annotations

from typing import NamedTuple


class PreferenceSettings(NamedTuple):
    """Statistical constants."""

    skill_mean: float = 1.0
    """Expected skill of a judge: it fixes the unit of scores, and that most judges are for the better item."""
    skill_variance: float = 0.5
    """Expected variance of skills: a judge against the better item is rare, and not excluded."""
    bias_variance: float = 0.25
    """Expected variance of position biases around their mean."""
    tie_variance: float = 0.25
    """Expected variance of the judges' log-widths of ties around their mean."""
    judge_mass: float = 2.0
    """Judges that the two expected variances of biases and ties are worth, beside those of the data, ..."""
    skill_mass: float = 2.0
    """... and that of skills."""
    pooled_variance: float = 1.0
    """Prior variance of the mean position bias and of the mean log-width of ties."""
    spread: float = 1.0
    """Expected variance of the scores."""
    item_mass: float = 2.0
    """Items that it is worth."""

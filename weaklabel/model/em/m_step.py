"""M-step: from statistics to parameters. What it is for a source or a label, its model says."""

from __future__ import annotations

from weaklabel.model.params import Params
from weaklabel.model.records import Profile, Statistics
from weaklabel.model.settings import Settings


def m_step(statistics: Statistics, before: Params, profile: Profile, settings: Settings) -> Params:
    """Parameters that fit the statistics.

    Args:
        statistics: of the E-step.
        before: the parameters of the E-step.
        profile: what is known of sources and classes before EM.
        settings: constants.
    """
    labels = before.labels.m_step(statistics.labels, profile, settings)
    return Params(before.sources.m_step(statistics.sources, labels.log_balance, profile, settings), labels)

"""Preferences: which of two items is better, by judges who err, lean to the item shown first, or answer at random."""

from weaklabel.kinds.preferences.model import PreferenceModel
from weaklabel.kinds.preferences.report import Finding, PreferenceDiagnostics
from weaklabel_protocol.rankings import comparisons_from_rankings

__all__ = ["Finding", "PreferenceDiagnostics", "PreferenceModel", "comparisons_from_rankings"]

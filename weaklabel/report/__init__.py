"""What people look at before they trust labels: a report as one HTML file, and the card of a released label set."""

from weaklabel.report.build import Report, report
from weaklabel.report.cards import Card, card

__all__ = ["Card", "Report", "card", "report"]

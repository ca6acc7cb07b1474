"""What is reported about a fit: diagnostics, agreement, intervals, explanations."""

"""Calibration: from the posterior of EM to soft labels and hard labels."""

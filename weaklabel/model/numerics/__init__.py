"""Numerical helpers, one home each: padding, the class axis, devices, processes."""

"""Weak supervision: votes of labeling functions, prompts and people in, calibrated soft labels out."""

"""Runs prompts over items: call by call or by batches, within budget and deadline."""

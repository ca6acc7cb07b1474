"""Source models: P(vote | label) of a source, one file for each way of voting, and what they are made of."""

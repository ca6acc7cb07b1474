"""Label spaces: the posterior over the true labels given the evidence of the votes, one file for each kind of prior."""

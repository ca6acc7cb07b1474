"""EM over the true labels: initialization, E-step, statistics, M-step, the compiled loop, and passes over all rows."""

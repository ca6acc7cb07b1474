"""Votes that lie on many machines: fits and soft labels by Ray and by Spark, and no row comes to this process.

`apply(..., engine="ray")` and `engine="spark"` run labeling functions there.
"""

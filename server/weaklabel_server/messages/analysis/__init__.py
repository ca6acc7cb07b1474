"""Reports on votes and models as messages, cut to the size of one.

cutting       rows that fit into a message
summaries     source summary, agreement, effective votes, confusion matrices, diagnostics
estimates     estimates with intervals, and labels that somebody has given
inspection    reliability, pairs, confusions with intervals, contested items, mistakes, leave-one-out, scores
label_errors  labels that may be wrong
"""

"""Between the contract's messages and the domain, in both directions; every value of a request is checked here.

One file for the messages of a .proto (votes, side_data, models, operations, prompts, labels, analysis; projects and
sources are in resources), and what they share:

tensors     matrices
codebooks   votes for more than one class
side_rows   side information about rows
uploads     the order of the messages of an upload, and item ids
rows        which rows a message holds
checks      names, ids and digests
"""

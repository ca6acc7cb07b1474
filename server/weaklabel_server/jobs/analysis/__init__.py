"""What people look at: reports on votes and models, explanations and sets, off the event loop.

analyst     the threads and the places of reports; explanations, sets and the reports on one model
reading     what reports are made of: votes, stored labels and side data, within limits
labels      labels that somebody has given, in the order of the items
slicing     what items are sliced by
estimates   estimates with intervals
inspection  what sources do, one by one and two by two; scores of slices
lasting     reports that fit models, which workers compute
"""

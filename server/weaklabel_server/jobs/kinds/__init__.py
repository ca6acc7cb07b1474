"""Models of labels that are not one class: a file a label space, and one way to fit, to label and to tell of them.

Nothing here knows the store, except `fit`, which reads it in a worker, and `predict`, which does in the server.
"""

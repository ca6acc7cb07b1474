"""Fits in processes of their own, so that whatever becomes of one the server goes on.

pool       the processes, kept warm; runs a fit in one, and again where it died
process    one process, seen from the server
child      the same, seen from within: python -m weaklabel_server.jobs.workers.child
work       the fit itself
reports    reports that fit models
frames     what the two say to each other: JSON
result     a fitted model or a report in a private file that the two share
estimate   the memory that a fit takes
"""

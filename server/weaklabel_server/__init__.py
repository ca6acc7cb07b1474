"""The gRPC service of weaklabel: votes in, fitted label models and soft labels out, kept in one database.

config      settings and limits
app         the composition root: builds, starts and drains the server
errors      every error that a caller can get, with its code, in one table
interceptors  errors, malformed messages and the access log, for every method
names, pages  resource names and page tokens
services/   one file a gRPC service: checks the request, calls the store or the engine, answers
store/      the database: schema, migrations and queries
engine      fits and predictions, off the event loop
operations  the life of a fit: queue, progress, cancel, restart
logs, clock  the log on stderr, and the time as the store keeps it
"""

"""The gRPC service of weaklabel: votes in, fitted label models and soft labels out, kept in one database.

app           the composition root: builds, starts and drains the server
services/     one file for each service of the contract
interceptors/ what happens around every call: limits, errors, the access log
jobs/         what runs off the event loop: operations, fits, predictions, prompts
messages/     between the contract's messages and the domain, with the checks of requests
store/        the database: schema, migrations and queries
errors        every error that a caller can get, with its code, in one table
config, prompt_settings  settings and limits; those of prompts
names, pages  resource names and page tokens
versions      which versions of weaklabel's packages work together
logs, clock   the log on stderr, and the time as the store keeps it

Imports go downward only: app, services, jobs, messages, store, then the modules that stand here. Interceptors know only
the latter. tests/server/test_import_rules.py asserts it.
"""

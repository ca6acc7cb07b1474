"""The database: what was acknowledged is in it.

schema      the tables; migrations/ brings a database to them
database    connections, transactions, threads
projects, sources, items, uploads, votes, models, operations, prompts, requests
            queries, each a function of an open transaction: uploads writes votes, votes reads them
chunks      how votes lie in a blob
"""

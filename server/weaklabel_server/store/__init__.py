"""The database: what was acknowledged is in it.

schema      the tables; migrations/ brings a database to them
database    connections, transactions, threads
listings    pages of queries
chunks      how votes lie in a blob
uploads     the protocol of uploads in chunks, which vote_uploads and side_data follow
projects, sources, items, vote_uploads, votes, side_data, models, operations, prompts, requests
            queries, each a function of an open transaction: vote_uploads writes votes, votes reads them
"""

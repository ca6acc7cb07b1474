"""The database: what was acknowledged is in it.

schema      the tables; migrations/ brings a database to them
database    connections, transactions, threads; dialects/ has what SQLite and PostgreSQL need
locking     rows that a transaction takes for itself
replicas    servers that share the database
trash       what is deleted: gone at once, and from the disk bit by bit
placing     new items, ahead of the finish of their upload
versions    old versions of votes, which need not be kept
listings    pages of queries
chunks      how votes lie in a blob
uploads     the protocol of uploads in chunks, which vote_uploads and side_data follow
projects, sources, items, vote_uploads, votes, side_data, models, operations, prompts, prompt_votes, requests
            queries, each a function of an open transaction: vote_uploads writes votes, votes reads them
"""

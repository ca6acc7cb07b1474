"""What differs between databases.

faults      what a database reports, as errors that a caller sees
sqlite      SQLite: how it is set up, and the file that it lives in
marker      the file beside a SQLite database that says which one belongs there
postgresql  PostgreSQL
"""

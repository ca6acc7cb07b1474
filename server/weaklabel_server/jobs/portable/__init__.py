"""Projects as folders of Parquet files: written out of the store, and into it. It blocks: run it in threads.

export      a project as files, piece by piece
importing   a project out of a folder, hidden until it is whole
side_tables side data as tables
spool       folders that clients send, while they come
"""

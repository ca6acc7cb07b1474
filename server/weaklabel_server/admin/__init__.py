"""What whoever runs the server does with its store, while it serves or not: weaklabel admin.

opening     the store, opened for this
noting      changes in the audit trail
backup      one file with everything, responses to prompts beside it, checksums; and back into an empty folder
prompt_caches  the files of responses to prompts
portable    projects as folders, out and in
checks      whether a store is whole
retention   what need not be kept: old versions and models, broken uploads; the server's own cleaner runs it too
tokens      bearer tokens: create, list, rotate, revoke
audit       the audit trail as JSON lines
quotas      limits of single projects
"""

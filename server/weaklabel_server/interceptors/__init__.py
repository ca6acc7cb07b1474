"""What happens around every call.

calls         the interceptor: parses messages, and calls the method within the rest
limits        how many calls there are of a kind and of a host, and how long one may be silent
errors        an exception becomes a rich status
access_log    a line of the log for each call
"""

"""Who may do what, and how much of it.

tokens         how a bearer token is made, written and read
rules          the scope of every RPC, and where its request names the project
authenticator  the tokens of the store, in memory for seconds
rates          calls and bytes a second of a token
interceptor    all of this around a call, and the audit trail
tls            certificates, read again when they are renewed
"""

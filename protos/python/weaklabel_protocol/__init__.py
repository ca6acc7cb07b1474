"""What the library, the client and the server share. It imports none of them.

With numpy alone: `weaklabel_protocol.vote_objects`, `.bags`, `.names` and `.errors`. With the extra "grpc": the
messages and stubs of the contract (`weaklabel_protocol.v1`), and the tensor codec (`weaklabel_protocol.tensors`).
"""

from weaklabel_protocol._version import __version__

__all__ = ["__version__"]

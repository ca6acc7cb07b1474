"""The contract in Python: message classes and stubs (`weaklabel_protocol.v1`), and the tensor codec.

What the client and the server share. It imports neither of them, nor the library.
"""

from weaklabel_protocol._version import __version__

__all__ = ["__version__"]

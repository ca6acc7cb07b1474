"""Calls, streams and operations without I/O: what is sent, and what is made of the replies.

The waiting client (`weaklabel_client._sync`) and the asyncio client (`weaklabel_client._aio`) drive the same code.
"""

"""Generated from protos/weaklabel/v1 by clients/python/generate_stubs.py. Do not edit."""

"""Generated from protos/weaklabel/v1 by protos/python/generate_stubs.py. Do not edit."""

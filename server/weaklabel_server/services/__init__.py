"""One file a gRPC service. A method checks its request, calls the store or the engine, and makes the answer."""

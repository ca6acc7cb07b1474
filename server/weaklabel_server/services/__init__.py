"""One file for each gRPC service. A method checks its request, calls the store or a job, and makes the response."""

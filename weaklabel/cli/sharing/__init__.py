"""What leaves the machine: reports and cards, and votes and labels of a server."""

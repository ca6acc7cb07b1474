"""What sources would vote, rather than what is true."""

"""What a prompt is, as plain data: the template, the answers and what they stand for."""

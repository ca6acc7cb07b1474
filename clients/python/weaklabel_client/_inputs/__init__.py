"""What users pass, checked and cut into pieces that fit into a message. Nothing here sends or receives."""

"""Who may do what: tokens, quotas of projects, and the trail of who changed what."""

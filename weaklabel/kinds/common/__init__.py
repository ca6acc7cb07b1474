"""What the estimators of all kinds share."""

"""Labels that are not one class an item: a package for each kind, with an estimator by the habits of `LabelModel`."""

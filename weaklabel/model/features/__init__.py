"""The end model p(label | features), which joins the votes."""

"""One incident with its event in it."""

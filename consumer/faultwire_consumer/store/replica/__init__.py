"""Queries answered by a read replica that is fresh enough."""

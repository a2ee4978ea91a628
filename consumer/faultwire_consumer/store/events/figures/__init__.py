"""Figures of incidents: what batches add to them, where incidents stand by them, and how they are read."""

"""Digests as people and programs read them."""

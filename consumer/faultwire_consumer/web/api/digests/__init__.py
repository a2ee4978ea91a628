"""Digests in the API."""

"""Silences: what they hide, when, and what one may be. Pure."""

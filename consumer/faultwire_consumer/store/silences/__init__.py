"""Silences: what is kept of each, those that may hide now, and what each hid."""

"""Producers' reports, the numbers that are missing, and what was found of them."""

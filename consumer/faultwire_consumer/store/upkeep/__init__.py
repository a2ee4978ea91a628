"""Upkeep of the database: leases, retention and space."""

"""Rehearsals: stored history played through the engine of notifications again, by other rules."""

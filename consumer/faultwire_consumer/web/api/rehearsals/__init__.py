"""Rehearsals of rules under ``/api/v1``."""

"""Silences under ``/api/v1``."""

"""Retries and circuit breakers, for any service that imports them."""

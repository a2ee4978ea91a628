"""Exposition of a worker to Prometheus beyond what its parts count: first zeros, looks, and watches."""

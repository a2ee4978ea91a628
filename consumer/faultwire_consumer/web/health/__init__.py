"""The probes of a worker, and the checks that they ask."""

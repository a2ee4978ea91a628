"""The demonstration: a worker on stage with a small shop of handlers that really fail."""

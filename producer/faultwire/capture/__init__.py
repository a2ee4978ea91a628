"""From a raised exception to an event: what is read of it, and what surrounds it."""

"""A read replica, which answers queries while it is fresh enough."""

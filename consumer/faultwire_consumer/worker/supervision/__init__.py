"""Supervision of a worker by its machine: signals, what it tells systemd, and the moment before it ends."""

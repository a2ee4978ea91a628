"""The way from a socket to a handler: connections, bodies, time, and what every answer carries."""

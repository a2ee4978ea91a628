"""Events of the host process that the client has to survive: threads, signals, forks and the end."""

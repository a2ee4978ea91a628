"""What a host process does to its client: threads, signals, forks and the end."""

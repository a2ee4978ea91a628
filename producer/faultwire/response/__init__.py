"""What the caller of a failing service is told."""

"""Rules evaluated for a batch, in its transaction."""

"""What could not be stored as an event: kept, listed, replayed, discarded."""

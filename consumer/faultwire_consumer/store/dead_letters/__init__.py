"""Dead letters, which could not be stored as events: recorded, listed, replayed and discarded."""

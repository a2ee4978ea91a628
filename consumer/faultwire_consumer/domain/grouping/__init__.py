"""From what an event says to the incident that it belongs to: a module for each version of the algorithm."""

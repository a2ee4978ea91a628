"""Producers of events: the numbers that they gave, and the state that they are in."""

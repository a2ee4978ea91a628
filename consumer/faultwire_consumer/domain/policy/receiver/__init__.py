"""Destinations of notifications, one module for each way of being notified."""

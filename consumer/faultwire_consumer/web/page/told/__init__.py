"""Notifications: who was told of what, who was not, and why."""

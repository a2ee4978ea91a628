"""Notifications, from the outbox to the senders."""

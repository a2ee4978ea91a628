"""Who is told, how, and by whom: notifications from the outbox to the senders."""

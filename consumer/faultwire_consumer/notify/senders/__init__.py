"""Who sends a notification: one module for each way out."""

"""The loss audit: what was numbered, what was lost and why, and the reports of it."""

"""The audit of losses: producers' reports, numbers that are missing, and what became of them."""

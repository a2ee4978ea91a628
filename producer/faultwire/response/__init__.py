"""The answer that the caller of a failing service is given."""

"""The page of rules and silences."""

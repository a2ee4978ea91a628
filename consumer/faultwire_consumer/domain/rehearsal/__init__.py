"""Findings of a rehearsal of rules: counts, notifications, differences, and what it could not see."""

"""Decisions about an incident's life: by what occurs, and by what operators do."""

"""The operators' query language: its terms, their text, their values."""

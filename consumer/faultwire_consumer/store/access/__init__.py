"""Tokens, accounts, sessions and the audit: who may ask, in the database."""

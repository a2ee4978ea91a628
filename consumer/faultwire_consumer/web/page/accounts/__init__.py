"""Accounts, tokens and the audit, for admins."""

"""Tokens, accounts, sessions, links that are used once, failed sign-ins and the audit, as they are stored."""

"""Figures of incidents: how many users, which releases and tag values, how urgent, growing how fast."""

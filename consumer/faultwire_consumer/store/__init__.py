"""The store of events and incidents: SQLite or PostgreSQL, behind one contract."""

"""Where events and incidents are kept: SQLite or PostgreSQL, behind one contract."""

"""What a database needs to stay small and whole: leases, retention, space."""

"""Content of digests as values, and the decisions on what goes into which section."""

"""Tools for coding agents, by the Model Context Protocol: few, read-only unless a token may act."""

"""The hosts that the client lives in, a module each; none is imported before somebody asks for it."""

"""The policy: rules and receivers, read from TOML."""

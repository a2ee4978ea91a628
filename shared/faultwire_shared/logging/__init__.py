"""Structured log lines for services and workers: configuration, a pipe that never blocks, safe texts."""

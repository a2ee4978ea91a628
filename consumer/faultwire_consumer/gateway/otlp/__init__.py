"""Readers of what OpenTelemetry's exporters send over HTTP: log records and spans, and their exceptions."""

"""The gateway: Sentry's SDKs and OpenTelemetry's exporters report here, unchanged, as producers."""

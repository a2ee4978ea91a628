"""Readers of what Sentry's SDKs send: envelopes and their items, older stores' bodies, and events."""

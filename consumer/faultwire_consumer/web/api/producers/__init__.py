"""Producers: the processes that number their events, their services, and what the gateway reports of SDKs."""

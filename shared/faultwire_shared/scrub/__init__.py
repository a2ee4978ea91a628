"""Removal of secrets from events, texts and mappings; ``Scrubber`` is public."""

from faultwire_shared.scrub.scrubber import Scrubber

__all__ = ["Scrubber"]

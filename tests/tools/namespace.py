"""Mounts of a test's own, which end with it."""

import os
from typing import Final

OWN_MOUNTS: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
"""Runs a command with mounts that nobody else sees (unshare(1))."""

"""The two kinds of expected failures: what somebody has to set right, and what may be better later.

The code that starts something (a command, a service) prints either as one line, and needs to know no more.
"""


class ConfigurationError(Exception):
    """Something is set up wrongly; until somebody changes it, trying again does not help."""


class UnavailableError(Exception):
    """Something that is needed does not answer, or not now; trying again later may help."""

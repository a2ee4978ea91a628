"""The agreement of both sides of the wire: the event, its codec, the taxonomy of errors and the topology."""

__version__ = "0.2.0"

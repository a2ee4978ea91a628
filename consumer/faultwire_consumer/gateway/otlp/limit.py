"""The bounds of what one request may hold; none of them is met by an exporter that means well."""

from typing import Final

BODY_BYTES: Final = 20 * 1024 * 1024
"""The most that is worth reading of a body, uncompressed: a batch of 512 records takes a tenth of it."""
RECORDS: Final = 10_000
"""Records that are taken of one request, and events that are made of them; exporters send 512 records."""
STEPS: Final = 100_000
"""Parts of a body that are looked at, so that one of nothing but empty records ends soon."""
VALUES: Final = 500_000
"""Values in a JSON body: each takes a hundred bytes and more of memory, and as few as two of the body."""
RECORD_BYTES: Final = 1024 * 1024
"""Of one record in protobuf; a larger one is rejected, and its neighbours are taken."""
ATTRIBUTES: Final = 128
"""Attributes that are read of one record or resource: as many as SDKs keep."""
EVENTS: Final = 128
"""Events that are read of one span: as many as SDKs keep."""
ITEMS: Final = 256
"""Values that are read of one list or object in an attribute."""
VALUE_DEPTH: Final = 8
"""Levels that are read of lists and objects in an attribute."""
ID_DIGITS: Final = 32
"""Hex digits of a trace's id; a span's has half of them."""
EVENT_BYTES_IN_ALL: Final = 32 * 1024 * 1024
"""Of all events of one request as JSON: what a span or a resource says once, stands in each of its events."""

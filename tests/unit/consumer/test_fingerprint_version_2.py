"""Keys of version 2 are stored: what faultwire's own clients make has the same ones for ever."""

import hashlib
from typing import Final

import pytest
from tests.tools.corpus.foreign import foreign_samples
from tests.tools.factories import raised, wire_body

from faultwire_consumer.domain.fingerprint import compute
from faultwire_consumer.ingest.read.grouping import Grouper, material_of
from faultwire_consumer.ingest.read.narrow import decode_narrow

_FRAMES: Final = [
    {"file": "shop/main.py", "module": "shop.main", "qualname": "main", "context": ["main()"]},
    {
        "file": "shop/cart.py",
        "module": "shop.cart",
        "qualname": "Cart.pay.<locals>.func1",
        "context": ["pay(n)"],
    },
    {"file": "httpx/_client.py", "module": "httpx._client", "qualname": "post", "in_app": False},
]
EVENTS: Final = {
    "wrapped": wire_body(
        exceptions=[
            raised("GatewayError", module="shop.errors", value="no answer"),
            raised("HTTPStatusError", module="httpx", frames=_FRAMES, attributes={"http_status": 503}),
        ],
        code="CARD_GATEWAY_DOWN",
        sdk={"name": "faultwire-python", "version": "1.0"},
    ),
    "named as other languages name": wire_body(
        exceptions=[
            raised("Error", qualname=name, value="n is not a function") for name in ("lambda$x$0", "?")
        ],
        sdk={"name": "faultwire-python", "version": "1.0"},
    ),
    "a file of JavaScript": wire_body(
        exceptions=[raised("TypeError", frames=[{"file": "https://a/main.4f3a9c1d.js", "qualname": "br"}])]
    ),
    "a group": wire_body(
        exceptions=[
            raised(
                "ExceptionGroup", frames=[], members=[[raised("KeyError", value="'a'")], [raised("OSError")]]
            )
        ]
    ),
    "without frames": wire_body(exceptions=[raised("ValueError", frames=[], value="no row 17 of 'x'")]),
    "a template": wire_body(message="order 17", template="order %s", tags={"logger": "shop.orders"}),
    "a message": wire_body(message="[object Object] of #<Order:0x00007f> failed 3 times"),
    "explicit": wire_body(exceptions=[raised("KeyError")], fingerprint=["{{ default }}", "eu"]),
}
KEYS: Final = {
    "wrapped": "586a10035b96b2907c5fbddd8694ddcc",
    "named as other languages name": "7b3d8ca6013651c16e876e5c5781e469",
    "a file of JavaScript": "65e0af1c51e89839631fd727656be2a1",
    "a group": "a7c86e3de2cdee85a5d48641b8b222e5",
    "without frames": "556b6b67d96d0346b8716443140a6d5a",
    "a template": "732c7ab97788934851079696f8b6e071",
    "a message": "b6a546bb739a55f58fcb8cc1bb3ada14",
    "explicit": "e397c7437c9818f0eb88f8cab813d38c",
}
CORPUS: Final = "35f17cd0d613116fa01f3c22eee3137e1fa01fdd229c760fdc4a19605a57e4d0"


@pytest.mark.parametrize("name", EVENTS)
def test_a_key_of_version_2_is_the_stored_one(name: str) -> None:
    event = decode_narrow(EVENTS[name])
    assert compute(material_of(event)).key.hex() == KEYS[name]
    assert Grouper().group(event).fingerprint.key.hex() == KEYS[name]


def test_publishers_that_write_the_wire_themselves_keep_their_keys_in_any_language() -> None:
    digests = hashlib.sha256()
    for sample in foreign_samples():
        digests.update(compute(material_of(decode_narrow(sample.body))).digest)
    assert digests.hexdigest() == CORPUS

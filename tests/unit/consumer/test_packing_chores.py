"""The chores that pack bodies are there unless the configuration turns packing off."""

from typing import Literal, cast

import pytest

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.worker.chores import Tending, packing_chores
from faultwire_shared.clock import utc_now


@pytest.mark.parametrize(
    ("setting", "names"), [("auto", {"packing watch", "dictionary trainer"}), ("off", set[str]())]
)
def test_bodies_are_packed_unless_that_is_off(setting: Literal["auto", "off"], names: set[str]) -> None:
    config = WorkerConfig(body_compression=setting)
    store = cast("Store", None)  # nothing is asked before they run
    tending = Tending(store=store, metrics=Metrics(), holder="test", clock=utc_now)
    assert set(packing_chores(tending, config, Packing())) == names

"""``faultwire.testing`` over a manager that has a spool and a broker of its own."""

from pathlib import Path

from faultwire import ErrorManager
from faultwire.testing import capture_events

NOBODY_LISTENS = "http://127.0.0.1:1"


async def test_a_manager_that_stands_already_is_diverted_and_comes_back(tmp_path: Path) -> None:
    errors = ErrorManager(service="shop", broker_url=NOBODY_LISTENS, spool_path=tmp_path / "spool")
    with capture_events(errors) as captured:
        async with errors:
            errors.handle_error_nowait(ValueError("inside"))
    assert captured.event.message == "inside"
    response = await errors.handle_error(ValueError("outside"), durability="spooled")
    assert response.state.state == "spooled", "the block closed only what it was given"
    assert len(captured.events) == 1
    assert not errors.stats().lost
    await errors.aclose()

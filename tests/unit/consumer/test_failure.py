"""A failed request of the worker is answered as a failed request of any service is."""

from datetime import UTC, datetime

import msgspec
import pytest
from tests.tools.accept import ACCEPTS
from tests.tools.clock import FixedClock

from faultwire import ErrorManager, FieldError, ValidationError
from faultwire_consumer.web.failure import Failure


@pytest.mark.parametrize("accept", [accept for accept, _ in ACCEPTS])
def test_the_worker_s_answer_is_the_client_s_but_for_where_it_happened(accept: str | None) -> None:
    clock = FixedClock()
    clock.now = datetime(2026, 11, 23, 10, 0, 0, 123_999, tzinfo=UTC)
    error = ValidationError(errors=[FieldError("limit", "a number", "many")])
    told = ErrorManager(service="shop", clock=clock).handle_error_nowait(error)
    failure = Failure(
        id=told.error_id,
        status=told.status,
        code=told.code,
        message=told.message,
        severity=told.severity,
        at=told.occurred_at,
        details=told.details,
        headers=told.headers,
    )
    answers = [told.negotiate(accept), failure.negotiate(accept, instance="/api/v1/incidents")]
    (of_client, client), (of_worker, worker) = ((kind, msgspec.json.decode(body)) for kind, body in answers)
    assert of_client == of_worker
    for name, document in (("client", client), ("worker", worker)):
        place = document.pop("instance", None)
        assert (place is None) == (of_client == "application/json"), name
    assert list(client.items()) == list(worker.items())

"""The end of a peer's certificate, by real handshakes on this machine."""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.tools.mail_server import Certificate, make_certificate

from faultwire_consumer.maintenance.certificates import CertificateWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.certificate_end import end_of_file
from faultwire_shared.tls.certificate import ask_certificate, end_of_certificate

DAY = 86_400


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"), "127.0.0.1")


@asynccontextmanager
async def server(certificate: Certificate) -> AsyncIterator[str]:
    """A TLS server that says nothing; its place."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    # Aborted: a polite end waits for the other side's goodbye, for longer than the test's loop lives.
    listening = await asyncio.start_server(
        lambda _, writer: writer.transport.abort(), "127.0.0.1", 0, ssl=context
    )
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_a_broker_s_certificate_is_asked_for_and_shown(certificate: Certificate) -> None:
    end_of_own = await asyncio.to_thread(end_of_file, str(certificate.cert))
    async with server(certificate) as place:
        url = f"amqps://user:password@{place}/?cafile={certificate.cert}"
        end = await ask_certificate(url)
        assert end is not None
        assert 1.9 * DAY < end - time.time() < 2.1 * DAY
        metrics = Metrics()
        await CertificateWatch(metrics, url, lambda: None, lambda: end_of_own).look()
    name = "faultwire_certificate_expiry_timestamp_seconds"
    assert metrics.registry.get_sample_value(name, {"peer": "broker"}) == end
    assert metrics.registry.get_sample_value(name, {"peer": "http"}) == end
    assert math.isnan(metrics.registry.get_sample_value(name, {"peer": "database"}) or 0)


@pytest.mark.parametrize("query", ["", "?no_verify_ssl=1&cafile={cert}", "?cafile=/nowhere.pem"])
async def test_of_one_that_is_not_trusted_or_not_verified_nothing_is_known(
    certificate: Certificate, query: str
) -> None:
    async with server(certificate) as place:
        assert await ask_certificate(f"amqps://{place}/{query.format(cert=certificate.cert)}") is None


async def test_without_tls_or_without_a_broker_nothing_is_known(tmp_path: Path) -> None:
    assert await ask_certificate("amqp://127.0.0.1:1/") is None
    assert await ask_certificate("amqps://127.0.0.1:1/") is None
    assert end_of_certificate(None) is None

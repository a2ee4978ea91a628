"""The broker as `faultwire doctor` finds it."""

from typing import TYPE_CHECKING, Final

from faultwire_consumer.cli.doctor_certificate import look_at_broker
from faultwire_consumer.cli.fault import Examined, Fault, FaultCode
from faultwire_shared.redact import redact_url
from faultwire_shared.topology import TOPOLOGY

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig

_MENDS: Final = {
    FaultCode.BROKER_UNREACHABLE: "start RabbitMQ, or correct the host and port in broker_url",
    FaultCode.BROKER_LOGIN_REFUSED: "correct user and password in broker_url (FAULTWIRE_BROKER_URL_FILE)",
    FaultCode.BROKER_VHOST_REFUSED: "correct the end of broker_url, or rabbitmqctl add_vhost VHOST and give "
    "the user its rights (rabbitmqctl set_permissions -p VHOST USER …)",
    FaultCode.BROKER_REFUSED: "give the user the rights that faultwire topology export lists",
    FaultCode.CERTIFICATE_REFUSED: "name the authority by broker_ca_file, the worker's own certificate by "
    "broker_certificate_file and broker_key_file, and the host as the server's certificate does",
    FaultCode.QUEUE_MISSING: "faultwire topology apply, as a user who may configure",
    FaultCode.QUEUE_DIFFERS: "drain and delete it (rabbitmqctl delete_queue QUEUE), then "
    "faultwire topology apply",
}


async def examine_broker(config: "WorkerConfig") -> Examined:
    """Look at the broker, if there is one."""
    if config.broker_url is None:
        return Examined("broker", "none: the HTTP intake stores by itself")
    from faultwire_shared.amqp import BrokerError, check, close, compare, connect  # noqa: PLC0415 - loads aio-pika

    shown = redact_url(config.broker_url)
    try:
        connection = await connect(config.broker_url, "faultwire doctor")
    except BrokerError as error:
        return _refused(shown, str(error))
    queues, exchanges = [[one.name for one in some] for some in (TOPOLOGY.queues, TOPOLOGY.exchanges)]
    try:
        await check(connection, exchanges=tuple(exchanges), queues=tuple(queues))
    except BrokerError as error:
        return _faulty(shown, FaultCode.QUEUE_MISSING, str(error))
    else:
        try:
            await compare(connection)
        except BrokerError as error:
            return _faulty(shown, FaultCode.QUEUE_DIFFERS, str(error))
    finally:
        await close(connection)
    certificate = await look_at_broker(config.broker_url)
    return Examined("broker", f"{shown}, {len(queues)} queues{certificate.told}", certificate.faults)


def _refused(shown: str, told: str) -> Examined:
    if "certificate" in told or "TLS" in told:
        return _faulty(shown, FaultCode.CERTIFICATE_REFUSED, told)
    if "wrong user name or password" in told:
        return _faulty(shown, FaultCode.BROKER_LOGIN_REFUSED, told)
    if "vhost" in told:
        return _faulty(shown, FaultCode.BROKER_VHOST_REFUSED, told)
    is_refusal = "REFUSED" in told or "NOT_ALLOWED" in told
    return _faulty(shown, FaultCode.BROKER_REFUSED if is_refusal else FaultCode.BROKER_UNREACHABLE, told)


def _faulty(shown: str, code: FaultCode, told: str) -> Examined:
    return Examined("broker", shown, (Fault(code, told, _MENDS[code]),))

"""What a command makes of an error: one line and an exit code, or nothing, for a bug is not expected."""

import pytest

from faultwire_consumer.cli.failure import CONFIGURATION, FAILED, CommandError, expected_failures
from faultwire_consumer.config import ConfigError
from faultwire_consumer.notify.policy_file import PolicyFileError
from faultwire_consumer.store.contract.store import MigrationError, StoreTakenError, StoreUnavailableError
from faultwire_consumer.store.contract.url import DatabaseUrlError
from faultwire_shared.amqp import BrokerRefusedError, BrokerUnreachableError, TopologyError


def told(error: BaseException) -> CommandError:
    with pytest.raises(CommandError) as caught, expected_failures():
        raise error
    return caught.value


@pytest.mark.parametrize(
    "kind",
    [ConfigError, PolicyFileError, DatabaseUrlError, MigrationError, BrokerRefusedError, TopologyError],
)
def test_what_somebody_has_to_set_right_is_exit_78(kind: type[Exception]) -> None:
    error = told(kind("no\nsuch host"))
    assert (str(error), error.exit_code) == ("no such host", CONFIGURATION)


@pytest.mark.parametrize("kind", [StoreUnavailableError, StoreTakenError, BrokerUnreachableError, OSError])
def test_what_does_not_answer_is_exit_1(kind: type[Exception]) -> None:
    assert told(kind("gone")).exit_code == FAILED


def test_one_error_of_a_task_group_is_told_as_itself() -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [ConfigError("a port")])])
    assert (str(told(group)), told(group).exit_code) == ("a port", CONFIGURATION)


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("two", [OSError(), OSError()])])
def test_what_nobody_expects_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, expected_failures():
        raise error
    assert caught.value is error

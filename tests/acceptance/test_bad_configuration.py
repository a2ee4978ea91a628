"""Wrong configuration: one line that says what and how to mend it, exit 78 or 1, no traceback, no secret."""

from pathlib import Path

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.worker_process import command

SECRET = "hunter2"  # noqa: S105 - the canary that must not be printed


async def refusal(cwd: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a worker that cannot start; its exit code and the one line that it says."""
    code, out, err = await command("worker", *arguments, cwd=cwd, FAULTWIRE_HTTP_PORT="0", **settings)
    assert out == ""
    assert "Traceback" not in err
    assert SECRET not in err
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    return code, lines[0]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"FAULTWIRE_BROKER_URL": f"ampq://bob:{SECRET}@host/"}, "amqp://"),
        ({"FAULTWIRE_DATABASE_URL": f"mysql://bob:{SECRET}@host/x"}, "postgresql://"),
        ({"FAULTWIRE_BROKER_ULR": f"amqp://bob:{SECRET}@host/"}, "FAULTWIRE_BROKER_URL"),
        ({"FAULTWIRE_LOG_LEVEL": "LOUD"}, "FAULTWIRE_LOG_LEVEL"),
        ({"FAULTWIRE_HTTP_HOST": "0.0.0.0"}, "FAULTWIRE_ACCESS=login"),  # noqa: S104 - refused, which is the point
        ({"FAULTWIRE_BROKER_URL_FILE": "/nonexistent"}, "FAULTWIRE_BROKER_URL_FILE"),
    ],
)
async def test_a_wrong_setting_is_named_with_what_would_be_right(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    code, line = await refusal(tmp_path, **settings)
    assert code == 78
    assert says in line


async def test_an_unknown_key_of_the_file_is_named_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "faultwire.toml").write_text(f'http_port = 0\ndatabse_url = "sqlite:///{SECRET}.db"\n')
    code, line = await refusal(tmp_path)
    assert code == 78
    assert "faultwire.toml:2" in line
    assert "database_url" in line


async def test_a_missing_migration_names_the_command(tmp_path: Path, postgresql: PostgreSQL) -> None:
    code, line = await refusal(tmp_path, FAULTWIRE_DATABASE_URL=postgresql.url)
    assert code == 78
    assert "faultwire db upgrade" in line


async def test_a_database_that_refuses_the_login_is_named_with_its_address(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    place = postgresql.url.rpartition("@")[2]
    code, line = await refusal(tmp_path, FAULTWIRE_DATABASE_URL=f"postgresql://bob:{SECRET}@{place}")
    assert code == 1
    assert place in line


async def test_a_wrong_password_at_the_broker_is_called_so(tmp_path: Path, rabbitmq: RabbitMQ) -> None:
    code, line = await refusal(tmp_path, FAULTWIRE_BROKER_URL=rabbitmq.url_of("nobody", SECRET))
    assert code == 78
    assert "password" in line


async def test_a_virtual_host_that_is_not_there_is_told_in_the_broker_s_words(
    tmp_path: Path, rabbitmq: RabbitMQ
) -> None:
    url = f"{rabbitmq.url.rpartition('/')[0]}/nowhere"
    code, line = await refusal(tmp_path, FAULTWIRE_BROKER_URL=url)
    assert code == 78
    assert "vhost nowhere not found" in line


async def test_a_missing_exchange_that_may_not_be_declared_names_the_command(
    tmp_path: Path, rabbitmq: RabbitMQ
) -> None:
    reader = rabbitmq.add_user(read=r"^faultwire\.")
    code, line = await refusal(tmp_path, FAULTWIRE_BROKER_URL=reader)
    assert code == 78
    assert "faultwire topology apply" in line


async def test_an_address_that_is_taken_is_told(tmp_path: Path, rabbitmq: RabbitMQ) -> None:
    code, _, err = await command("worker", cwd=tmp_path, FAULTWIRE_HTTP_PORT=str(rabbitmq.port))
    assert code == 1
    assert str(rabbitmq.port) in err
    assert "Traceback" not in err

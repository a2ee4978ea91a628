"""The compose file: what it promises of its services, and all of it at work on this machine's servers."""

import asyncio
import json
import os
import re
import shutil
import signal
import stat
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from tests.deploy.stack import DEPLOY, SECRETS, Stack, read_compose
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.process import ServerProcess, reserve_port, run, temporary_home, wait_until
from tests.servers.rabbitmq import Node

from faultwire import ErrorManager
from faultwire_consumer.config import load_config
from faultwire_shared.event import MESSAGE_BYTES

COMPOSE: Final = read_compose()
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = [name for name, service in SERVICES.items() if "build" in service]
ONE_SHOT: Final = ("definitions", "migrate", "topology")
EVENTS: Final = 40
_TOKEN: Final = ("access", "token", "create", "shell", "--scope=ingest", "--service=*", "--scope=read", "-q")


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_from_files_that_the_service_is_granted(name: str) -> None:
    service = SERVICES[name]
    environment = service.get("environment", {})
    named = {text for value in environment.values() for text in re.findall(rf"{SECRETS}/(\w+)", str(value))}
    named |= {text for word in service.get("command", []) for text in re.findall(rf"{SECRETS}/(\w+)", word)}
    for file in _mounted(name):
        named |= set(re.findall(rf"{SECRETS}/(\w+)", file.read_text() if file.is_file() else ""))
    assert named == set(service.get("secrets", []))
    assert named <= set(COMPOSE["secrets"])
    for variable, value in environment.items():
        assert "://" not in str(value)
        assert "PASSWORD" not in variable or variable.endswith("_FILE")


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ONE_SHOT])
def test_what_stays_is_restarted_checked_and_given_time_to_end(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert int(service["stop_grace_period"].removesuffix("s")) > 20


@pytest.mark.parametrize("name", ONE_SHOT)
def test_what_runs_once_is_waited_for(name: str) -> None:
    assert SERVICES[name]["restart"].startswith("on-failure")
    waiting = [one.get("depends_on", {}).get(name, {}).get("condition") for one in SERVICES.values()]
    assert set(waiting) == {None, "service_completed_successfully"}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_right_and_write_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_gains_rights_or_fills_the_disk_with_its_log(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 1000
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", OURS)
def test_our_process_is_not_the_first_of_its_container(name: str) -> None:
    assert SERVICES[name]["init"] is True


def test_there_are_two_workers_that_differ_by_their_port_and_disk_alone() -> None:
    first, second = (dict(SERVICES[name]) for name in ("worker-1", "worker-2"))
    assert first.pop("ports") != second.pop("ports")
    assert first.pop("volumes") != second.pop("volumes")
    assert first == second


@pytest.mark.parametrize("name", ["worker-1", "worker-2"])
def test_nobody_is_let_in_who_is_not_known(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert environment["FAULTWIRE_ACCESS"] == "login"
    assert "FAULTWIRE_HTTP_TRUST_NETWORK" not in environment


def test_nothing_is_reached_from_other_machines() -> None:
    ports = {port: name for name in SERVICES for port in SERVICES[name].get("ports", [])}
    elsewhere = {name for port, name in ports.items() if not port.startswith("127.0.0.1:")}
    assert elsewhere == {"proxy"}
    assert "${FAULTWIRE_PROXY_ADDRESS:-127.0.0.1}:8443:8443" in ports
    assert len({port.rpartition(":")[0].rpartition(":")[2] for port in ports}) == len(ports)


def test_without_a_profile_stands_what_events_need_and_nothing_else() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert {name for name, ones in profiles.items() if not ones} == {
        *("definitions", "rabbitmq", "postgresql", "migrate", "topology", "worker-1", "worker-2")
    }
    assert {one for ones in profiles.values() for one in ones} == {
        "gateway",
        "watch",
        "mail",
        "backup",
        "proxy",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_limit_of_memory_and_no_network_that_it_needs_not(name: str) -> None:
    service = SERVICES[name]
    if name not in ONE_SHOT:
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    if name == "definitions":
        assert service["network_mode"] == "none"
        return
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    members = [one for one in SERVICES.values() if set(one.get("networks", [])) & set(service["networks"])]
    assert len(members) > 1


def test_the_database_is_in_a_network_of_its_own_without_a_way_out() -> None:
    assert SERVICES["postgresql"]["networks"] == ["database"]
    assert COMPOSE["networks"]["database"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_stands_here_or_is_a_volume(name: str) -> None:
    assert [path for path in _mounted(name) if not path.exists()] == []
    volumes = [volume.partition(":")[0] for volume in SERVICES[name].get("volumes", [])]
    assert {one for one in volumes if not one.startswith("./")} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_tag(name: str) -> None:
    image = SERVICES[name]["image"]
    assert ":" in image
    assert not image.endswith(":latest")


@pytest.mark.parametrize("name", [name for name in OURS if name != "definitions"])
def test_every_variable_is_one_that_a_worker_reads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(tmp_path, {"rabbitmq": 5672, "postgresql": 5432})
    for variable, value in stack.environment_of(SERVICES[name]).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert config.log_format in ("auto", "json")


@pytest.mark.may_block("runs two checkers")
@pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("amtool")),
    reason="wants prometheus and prometheus-alertmanager",
)
def test_prometheus_and_alertmanager_take_their_settings(tmp_path: Path) -> None:
    run(["amtool", "check-config", str(DEPLOY / "compose/alertmanager.yml")])
    rules, settings = tmp_path / "faultwire.rules.yml", tmp_path / "prometheus.yml"
    rules.write_text("groups: []\n")
    text = (DEPLOY / "compose/prometheus.yml").read_text()
    settings.write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    run(["promtool", "check", "config", "--syntax-only", str(settings)])


def test_the_broker_refuses_what_no_event_needs_and_takes_the_largest_message() -> None:
    text = (DEPLOY / "rabbitmq/rabbitmq.conf").read_text()
    (size,) = re.findall(r"^max_message_size = (\d+)$", text, re.MULTILINE)
    assert MESSAGE_BYTES < int(size) <= 2 * MESSAGE_BYTES


def test_secrets_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    run([str(DEPLOY / "make-secrets"), str(directory)])
    made = {path.name: path.read_text() for path in directory.iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} - set(made) == {
        "metrics_token"
    }
    assert "BEGIN CERTIFICATE" in made["tls_certificate"]
    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == {
        f"secrets/{name}" for name in COMPOSE["secrets"]
    }
    passwords = [text for name, text in made.items() if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords) == 6
    assert all(re.fullmatch(r"[0-9a-f]{48}\n", text) for text in passwords)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    (directory / "database_url").unlink()
    run([str(DEPLOY / "make-secrets"), str(directory)])
    assert {path.name: path.read_text() for path in directory.iterdir()} == made


@pytest.mark.e2e
@pytest.mark.timeout(600)
async def test_the_compose_file_s_services_take_events_from_a_client_into_two_workers(
    private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    with temporary_home("rabbitmq") as home:
        await asyncio.to_thread(_broker_then_workers, home, private_postgresql, tmp_path)


def _mounted(name: str) -> list[Path]:
    """The files of this repository that a service sees."""
    volumes = [volume.partition(":")[0] for volume in SERVICES[name].get("volumes", [])]
    return [DEPLOY / volume for volume in volumes if volume.startswith("./")]


def _broker_then_workers(home: Path, database: PrivatePostgreSQL, tmp_path: Path) -> None:
    """All of it in a thread of its own: commands and servers are waited for."""
    node = Node(home, settings=_rabbitmq_settings(tmp_path))
    stack = Stack(tmp_path, {"rabbitmq": node.port, "postgresql": database.port})
    stack.run(SERVICES["definitions"])
    try:
        node.start()
        stack.run_script(DEPLOY / "postgresql/create-database.sh", **_superuser(database))
        stack.run(SERVICES["migrate"])
        stack.run(SERVICES["topology"])
        _publish_to_workers(stack)
    finally:
        node.stop()


def _superuser(database: PrivatePostgreSQL) -> dict[str, str]:
    """The image's superuser; the tests' own is called as the role that is to be made, and makes way."""
    database.execute("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'postgres'")
    address = {"PGHOST": "127.0.0.1", "PGPORT": str(database.port), "PGPASSWORD": "postgres"}
    rename = ["psql", "-X", "-q", "-U", "postgres", "-d", "postgres", "-c"]
    run([*rename, "ALTER ROLE faultwire RENAME TO tests"], {"PATH": os.environ["PATH"], **address})
    return {"POSTGRES_USER": "postgres", **address}


def _publish_to_workers(stack: Stack) -> None:
    ports = {name: reserve_port() for name in ("worker-1", "worker-2")}
    workers: list[ServerProcess] = []
    try:
        workers.extend(stack.start(SERVICES[name], port) for name, port in ports.items())
        asyncio.run(_publish((stack.secrets / "broker_producer_url").read_text().strip()))
        beside = partial(stack.run_beside, SERVICES["worker-1"], ports["worker-1"])
        token = beside(*_TOKEN).strip()
        beside("send", "--message", "the disk is full", token=token)
        for port in ports.values():
            assert _status(port, None) == 401
            wait_until(partial(_counts, port, EVENTS + 1, token), "both workers know every event")
        assert [worker.end(signal.SIGTERM) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.end()


async def _publish(broker_url: str) -> None:
    async with ErrorManager(service="billing", broker_url=broker_url) as errors:
        for number in range(EVENTS):
            response = await errors.handle_error(ValueError(f"amount {number}"), durability="confirmed")
            assert response.state.state == "confirmed"


def _ask(port: int, token: str | None) -> urllib.request.Request:
    shown = {} if token is None else {"Authorization": f"Bearer {token}"}
    return urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/incidents", headers=shown)


def _status(port: int, token: str | None) -> int:
    try:
        with urllib.request.urlopen(_ask(port, token), timeout=30) as answer:  # noqa: S310 - http alone
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _counts(port: int, expected: int, token: str) -> bool:
    with urllib.request.urlopen(_ask(port, token), timeout=30) as answer:  # noqa: S310 - as above
        incidents: list[dict[str, int]] = json.load(answer)["incidents"]
    return sum(incident["count"] for incident in incidents) == expected


def _rabbitmq_settings(tmp_path: Path) -> str:
    """The image's settings, with the definitions where they are here."""
    text = (DEPLOY / "rabbitmq/rabbitmq.conf").read_text()
    assert "/etc/faultwire/definitions.json" in text
    return text.replace("/etc/faultwire/definitions.json", str(tmp_path / "definitions.json"))

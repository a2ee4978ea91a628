"""A newcomer's afternoon on an empty machine, by the guides' own lines: from a clone to the way back.

A real systemd, and Debian's own RabbitMQ, PostgreSQL and Alertmanager, as a package manager leaves them.
"""

import json
import os
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from tests.deploy.booted import CHECKOUT, BootedMachine, booted, can_be_booted
from tests.deploy.guide import blocks_of, lines_of
from tests.deploy.next_release import MIGRATION, VERSION, next_head
from tests.servers.process import reserve_port, wait_until
from tests.tools.certificates import Authority

from faultwire_consumer.store.migrations.schema_version import head
from faultwire_shared import __version__

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1500),
    pytest.mark.may_block("boots a machine and waits for it"),
    pytest.mark.skipif(
        not can_be_booted() and not os.environ.get("CI"),
        reason="wants root, mmdebstrap and systemd-nspawn (systemd-container)",
    ),
]

PACKAGES: Final = ("git", "make", "curl", "rabbitmq-server", "postgresql", "prometheus-alertmanager")
ASLEEP: Final = ("rabbitmq-server", "postgresql", "prometheus-alertmanager", "epmd.socket", "epmd.service")
"""What would take the machine's usual ports, which are this machine's too."""
CLONE: Final = "/root/faultwire"
NEXT: Final = "/root/next"
CA: Final = "/etc/faultwire/ca.pem"
OPERATE: Final = "deploy/docs/operate"
CRITICAL: Final = """
import asyncio
from faultwire import ErrorManager

async def main():
    async with ErrorManager.from_env(confirm_timeout=60) as errors:
        error = ValueError("the till is open")
        print((await errors.handle_error(error, "critical", durability="confirmed")).state.state)

asyncio.run(main())
"""


class Afternoon:
    """The machine, its ports, and what is typed there."""

    def __init__(self, machine: BootedMachine) -> None:
        self.machine = machine
        self.workers = [reserve_port(), reserve_port()]
        self.first, self.broker, self.database, self.alertmanager = (reserve_port() for _ in range(4))
        self.token = ""
        self.broker_url = f"amqps://faultwire-{{}}:geheim@127.0.0.1:{self.broker}/"
        self.database_url = f"postgresql://faultwire_{{}}:geheim@127.0.0.1:{self.database}/faultwire"

    def type(self, line: str, text: str = "") -> None:
        """Type a line as root, with the installed command at hand."""
        self.machine.shell(f"export PATH=/opt/faultwire/bin:$PATH; {line}", text=text)

    def printed(self, line: str) -> str:
        """What such a line prints."""
        asks = f"FAULTWIRE_URL=http://127.0.0.1:{self.workers[0]} FAULTWIRE_TOKEN={self.token}"
        return self.machine.run("sh", "-ec", f"export PATH=/opt/faultwire/bin:$PATH {asks}; {line}")

    def is_ready(self, port: int) -> bool:
        return self.machine.passes("curl", "--silent", "--fail", f"http://127.0.0.1:{port}/readyz")

    def wait_for_workers(self) -> None:
        for port in self.workers:
            wait_until(partial(self.is_ready, port), f"the worker at {port} is ready")

    def titles(self) -> list[str]:
        listed = json.loads(self.printed("faultwire incidents list --json --limit 100"))
        return [one["title"] for one in listed["incidents"]]

    def knows(self, title: str) -> bool:
        return any(title in one for one in self.titles())

    def count_of(self, title: str) -> int:
        listed = json.loads(self.printed("faultwire incidents list --json --limit 100"))
        return sum(one["count"] for one in listed["incidents"] if title in one["title"])

    def is_alerted(self, title: str) -> bool:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.alertmanager}/api/v2/alerts", timeout=30
        ) as answer:
            alerts: list[dict[str, Any]] = json.load(answer)
        return any(title in json.dumps(one) for one in alerts)

    def raise_critical(self) -> None:
        """An error of a service that publishes to RabbitMQ by TLS, as the user who may only publish."""
        self.machine.write("/root/critical.py", CRITICAL)
        self.type(f"{self.service_settings()} /opt/faultwire/bin/python /root/critical.py | grep confirmed")

    def service_settings(self) -> str:
        url = self.broker_url.format("producer")
        return f"FAULTWIRE_BROKER_URL={url} FAULTWIRE_BROKER_CA_FILE={CA} FAULTWIRE_SERVICE=billing"


def test_an_afternoon_from_a_clone_to_the_way_back(tmp_path: Path) -> None:
    with booted(tmp_path, "afternoon", PACKAGES, ASLEEP) as machine:
        site = Afternoon(machine)
        _the_two_commands_and_the_first_event(site)
        _an_installation(site)
        _a_broker_by_tls(site, Authority(tmp_path, "our-authority"))
        _a_database_by_tls_with_its_roles_apart(site)
        _two_workers(site)
        _an_own_service(site)
        _an_alert(site)
        _a_backup_and_a_restore(site)
        _an_upgrade_and_the_way_back(site)
        machine.shell("systemctl stop faultwire.target")


def _the_two_commands_and_the_first_event(site: Afternoon) -> None:
    """README: a clone, `make run`, and its program against the worker that runs then."""
    site.type(f"git config --global --add safe.directory '*' && git clone --quiet {CHECKOUT} {CLONE}")
    kept = " ".join(f"--setenv={name}" for name in ("FAULTWIRE_HTTP_PORT", "PATH", "HOME"))
    run = f"systemd-run --quiet --unit=demo --property=KillSignal=SIGINT --same-dir {kept} make run"
    site.type(f"cd {CLONE} && FAULTWIRE_HTTP_PORT={site.first} {run}")
    wait_until(partial(site.is_ready, site.first), "the first worker is ready", seconds=600)
    (program,) = (one for one in blocks_of("README.md", "python") if "CardGatewayDownError" in one.text)
    site.machine.write("/root/first.py", program.text)
    worker = f"http://127.0.0.1:{site.first}"
    said = site.machine.run(
        "sh",
        "-ec",
        f"cd /root && FAULTWIRE_BROKER_URL={worker} {CLONE}/.venv/bin/python first.py 2>/dev/null",
    )
    assert said.startswith("503 ")
    assert "state='confirmed'" in said or "state='spooled'" in said
    asked = f"FAULTWIRE_URL={worker} {CLONE}/.venv/bin/faultwire incidents list"
    wait_until(
        lambda: "gateway refused order 17" in site.machine.run("sh", "-ec", asked), "it is an incident"
    )
    site.type("systemctl stop demo")


def _an_installation(site: Afternoon) -> None:
    for line in lines_of(f"{OPERATE}/systemd.md")[0]:
        site.type(line)


def _a_broker_by_tls(site: Afternoon, authority: Authority) -> None:
    site.type("install -d --mode=0755 /etc/faultwire")
    site.machine.write(CA, authority.cert.read_text())
    issued = authority.issue("servers")
    for server, folder in (("rabbitmq", "/etc/rabbitmq"), ("postgres", "/etc/postgresql")):
        site.machine.write(f"{folder}/server.crt", issued.cert.read_text(), owner=server)
        site.machine.write(f"{folder}/server.key", issued.key.read_text(), owner=server, mode="0600")
    site.machine.write(
        "/etc/rabbitmq/rabbitmq.conf",
        f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{site.broker}\n"
        f"ssl_options.cacertfile = {CA}\nssl_options.certfile = /etc/rabbitmq/server.crt\n"
        "ssl_options.keyfile = /etc/rabbitmq/server.key\n",
    )
    ports = f"RABBITMQ_DIST_PORT={reserve_port()}\nexport ERL_EPMD_PORT={reserve_port()}\n"
    site.machine.write("/etc/rabbitmq/rabbitmq-env.conf", f"NODENAME=rabbit@localhost\n{ports}")
    site.type("systemctl start rabbitmq-server")
    for line in lines_of(f"{OPERATE}/rabbitmq.md")[0]:
        site.type(line, "geheim\n")


def _a_database_by_tls_with_its_roles_apart(site: Afternoon) -> None:
    (version,) = site.machine.run("ls", "/etc/postgresql", "-I", "server.*").split()
    site.machine.write(
        f"/etc/postgresql/{version}/main/conf.d/here.conf",
        f"port = {site.database}\nssl_cert_file = '/etc/postgresql/server.crt'\n"
        "ssl_key_file = '/etc/postgresql/server.key'\n",
    )
    site.type(f"sed -i 's/^port = .*//' /etc/postgresql/{version}/main/postgresql.conf")
    site.type(f"systemctl start postgresql@{version}-main")
    roles, logins, owner = lines_of(f"{OPERATE}/roles.md")
    for line in (*roles, *logins):
        site.type(f"export PGPORT={site.database}; {line}", "geheim\ngeheim\n")
    site.machine.write(
        "/etc/faultwire/faultwire.toml", f'broker_ca_file = "{CA}"\ndatabase_ca_file = "{CA}"\n'
    )
    for line in owner:
        if line.endswith("systemctl edit faultwire-upgrade"):
            (dropped,) = blocks_of(f"{OPERATE}/roles.md", "ini")
            site.machine.write("/etc/systemd/system/faultwire-upgrade.service.d/override.conf", dropped.text)
            site.type("systemctl daemon-reload")
        else:
            site.type(line, site.database_url.format("upgrade"))


def _two_workers(site: Afternoon) -> None:
    ports = dict(zip(("8787", "8788"), map(str, site.workers), strict=True))
    addresses = {
        "broker_administrator_url": site.broker_url.format("administrator"),
        "broker_worker_url": site.broker_url.format("worker"),
        "database_url": site.database_url.format("worker"),
    }
    _, secrets, started, token, _ = lines_of(f"{OPERATE}/systemd.md", ports)
    for line in secrets:
        site.type(line, addresses.get(Path(line.split()[-1]).name, ""))
    for line in started:
        site.type(f"export FAULTWIRE_URL=http://127.0.0.1:{site.workers[0]}; {line}")
    site.wait_for_workers()
    site.token = site.printed(token[0]).strip().splitlines()[-1]
    for unit in ("upgrade", "worker"):
        role = site.database_url.format(unit)
        assert "ok    database" in site.printed(f"FAULTWIRE_DATABASE_URL={role} faultwire doctor || true")


def _an_own_service(site: Afternoon) -> None:
    (program,) = (
        one for one in blocks_of("producer/docs/start/own-service.md", "python") if "main()" in one.text
    )
    site.machine.write("/root/service.py", program.text)
    site.type(f"{site.service_settings()} FAULTWIRE_RELEASE=1.2.0 /opt/faultwire/bin/python /root/service.py")
    wait_until(partial(site.knows, "ConnectionRefusedError"), "its error is an incident")


def _an_alert(site: Afternoon) -> None:
    site.machine.write(
        "/etc/default/prometheus-alertmanager",
        f'ARGS="--web.listen-address=127.0.0.1:{site.alertmanager} --cluster.listen-address="\n',
    )
    site.type("systemctl start prometheus-alertmanager")
    site.machine.write(
        "/etc/faultwire/rules.toml",
        'digest_zone = "Europe/Berlin"\n\n[receivers.alertmanager]\ntype = "alertmanager"\n'
        f'url = "http://127.0.0.1:{site.alertmanager}"\nallow_private_addresses = ["127.0.0.0/8"]\n',
    )
    site.type("echo 'rules = \"/etc/faultwire/rules.toml\"' >> /etc/faultwire/faultwire.toml")
    site.type("faultwire rules check /etc/faultwire/rules.toml")
    *_, reload = lines_of(f"{OPERATE}/systemd.md")
    site.type(reload[0])
    for port in site.workers:
        heard = partial(_has_reloaded, site, f"faultwire-worker@{port}")
        wait_until(heard, f"the worker at {port} has read its rules")
    site.raise_critical()
    wait_until(partial(site.is_alerted, "the till is open"), "Alertmanager has the alert")


def _has_reloaded(site: Afternoon, unit: str) -> bool:
    return "worker.reloaded" in site.machine.journal_of(unit)


def _a_backup_and_a_restore(site: Afternoon) -> None:
    dump, restore, *_ = lines_of(f"{OPERATE}/backup.md")
    for line in dump:
        site.type(line)
    before = site.count_of("the till is open")
    site.raise_critical()
    wait_until(lambda: site.count_of("the till is open") == before + 1, "what comes later is stored")
    for line in restore:
        site.type(line)
    site.wait_for_workers()
    assert site.count_of("the till is open") == before
    site.raise_critical()
    wait_until(lambda: site.count_of("the till is open") == before + 1, "and it goes on")


def _an_upgrade_and_the_way_back(site: Afternoon) -> None:
    site.type(f"git clone --quiet {CHECKOUT} {NEXT}")
    versions = f"{NEXT}/consumer/faultwire_consumer/store/migrations/versions"
    site.machine.write(f"{versions}/{next_head()}_moods.py", MIGRATION.format(next=next_head(), head=head()))
    site.type(f"sed -i 's/{__version__}/{VERSION}/' {NEXT}/shared/faultwire_shared/__init__.py")
    before = site.count_of("the till is open")
    _install(site, NEXT)
    assert site.printed("faultwire --version").split()[-1] == VERSION
    site.type("systemctl restart faultwire-upgrade")
    _restart_in_turn(site)
    site.raise_critical()
    wait_until(lambda: site.count_of("the till is open") == before + 1, "the next release stores")
    _install(site, CHECKOUT)
    asked = f"FAULTWIRE_DATABASE_URL={site.database_url.format('worker')} faultwire db status"
    assert f"{next_head()}, newer than this release's {head()}, which may go on" in site.printed(asked)
    _restart_in_turn(site)
    site.raise_critical()
    wait_until(lambda: site.count_of("the till is open") == before + 2, "the release before stores again")


def _install(site: Afternoon, checkout: str) -> None:
    for line in lines_of(f"{OPERATE}/systemd.md")[0]:
        if " pip install " in line:
            site.type(f"cd {checkout}; {line}")


def _restart_in_turn(site: Afternoon) -> None:
    for port in site.workers:
        site.type(f"systemctl restart faultwire-worker@{port}")
        wait_until(partial(site.is_ready, port), f"the worker at {port} is ready")

"""What timers start on a bare machine, under a real systemd: a backup beside its worker, as the same user."""

import os
from pathlib import Path

import pytest
from tests.deploy.booted import BootedMachine, booted, can_be_booted

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.may_block("boots a machine and waits for it"),
    pytest.mark.skipif(
        not can_be_booted() and not os.environ.get("CI"),
        reason="wants root, mmdebstrap and systemd-nspawn (systemd-container)",
    ),
]

# In faultwire's place, which takes minutes to install there: who may read what is the units' doing.
FAULTWIRE = """\
#!/usr/bin/python3
import os, socket, sqlite3, sys, time
if sys.argv[1] == "worker":
    connection = sqlite3.connect("faultwire.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE events (id INTEGER)")
    connection.execute("INSERT INTO events VALUES (1)")
    connection.commit()
    for word in (b"READY=1", *[b"WATCHDOG=1"] * 1000):
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(word, os.environ["NOTIFY_SOCKET"])
        time.sleep(5)
elif sys.argv[1:3] == ["db", "backup"]:
    path = os.environ["FAULTWIRE_DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(sys.argv[3]) as backup:
        sqlite3.connect(f"file:{path}?mode=ro", uri=True).backup(backup)
"""
STATE = "/var/lib/private"


def test_a_backup_is_made_beside_its_worker_as_the_same_user_and_seven_are_kept(tmp_path: Path) -> None:
    with booted(tmp_path) as machine:
        _install(machine)
        machine.shell("systemctl start faultwire-worker@8787")
        machine.shell("systemctl start faultwire-backup@8787")
        backups = f"{STATE}/faultwire-backup/8787"
        for day in range(1, 8):
            machine.shell(f"cp --preserve {backups}/faultwire-2???-*.db {backups}/old-{day}")
        for day in range(1, 8):
            machine.shell(f"mv {backups}/old-{day} {backups}/faultwire-2020-01-0{day}.db")
        machine.shell("systemctl start faultwire-backup@8787")
        kept = machine.run("ls", backups).split()
        assert len(kept) == 7
        assert kept[0] == "faultwire-2020-01-02.db"
        owners = machine.run("sh", "-c", f"stat --format=%u {STATE}/faultwire/8787/* {backups}/*")
        assert len(set(owners.split())) == 1
        assert machine.property_of("faultwire-worker@8787", "NRestarts") == "0"
        machine.shell("systemctl enable --now faultwire-backup@8787.timer faultwire-maintain.timer")
        for timer in ("faultwire-backup@8787.timer", "faultwire-maintain.timer"):
            assert machine.property_of(timer, "NextElapseUSecRealtime")


def _install(machine: BootedMachine) -> None:
    machine.shell("install --mode=0644 deploy/systemd/faultwire* /etc/systemd/system/")
    machine.shell("install -D --mode=0755 /dev/stdin /opt/faultwire/bin/faultwire", text=FAULTWIRE)
    for secret in ("broker_worker_url", "database_url"):
        machine.shell(f"install -D --mode=0600 /dev/stdin /etc/faultwire/{secret}", text="of-tests")
    machine.shell("systemctl daemon-reload")

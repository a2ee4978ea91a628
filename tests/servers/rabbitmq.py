"""Private RabbitMQ nodes: their own ports, cookie, epmd and directories, a fresh vhost for each test."""

import asyncio
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from tests.servers.process import (
    PATIENCE_SECONDS,
    ServerError,
    ServerProcess,
    reserve_port,
    run,
    temporary_home,
    wait_until,
)

_BIN: Final = Path("/usr/lib/rabbitmq/bin")
_ERLANG: Final = Path("/usr/lib/erlang")

_CONFIGURATION: Final = """\
listeners.tcp.1 = 127.0.0.1:{port}
num_acceptors.tcp = 2
loopback_users = none
default_user = {user}
default_pass = {password}
log.file.level = warning
# The tests bring their own alarms: a small disk or a busy machine must not raise one.
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 4GB
"""


def is_installed() -> bool:
    return (_BIN / "rabbitmq-server").exists() and any(_ERLANG.glob("erts-*/bin/erl_call"))


class Node:
    """One RabbitMQ node with its own epmd; ``start`` and ``kill`` as often as a test likes."""

    def __init__(self, home: Path, *, settings: str = "", beside: "Node | None" = None) -> None:
        """Make its configuration; ``settings`` stand behind it and win.

        One that is to form a cluster with another stands ``beside`` it: the same cookie and epmd.
        """
        self.port = reserve_port()
        self.user = "operator"
        self.password = secrets.token_hex(8)
        self.is_spent = False
        """Something was done to it that the next test might feel."""
        self.name = f"faultwire-{secrets.token_hex(4)}@localhost"
        self._home = home
        self._numbers = count(1)
        self._is_paused = False
        self._epmd: ServerProcess | None = None
        self._server: ServerProcess | None = None
        self._erl_call = str(next(_ERLANG.glob("erts-*/bin/erl_call")))
        self._beside = beside
        self.cookie: str = beside.cookie if beside is not None else secrets.token_hex(16)
        self._environment = self._make_environment()
        if beside is not None:
            self._environment["ERL_EPMD_PORT"] = beside._environment["ERL_EPMD_PORT"]
        self._write_configuration(settings)

    def start(self) -> None:
        """Start the node, or start it again on the data it left, and wait until it accepts."""
        if self._epmd is None and self._beside is None:
            epmd = ["epmd", "-port", self._environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"]
            self._epmd = ServerProcess(epmd, self._environment, self._home / "epmd.log")
        if self._server is None or not self._server.is_running:
            server = [str(_BIN / "rabbitmq-server")]
            self._server = ServerProcess(server, self._environment, self._home / "server.log")
        self._server.wait_until(self._accepts, "RabbitMQ accepts connections")

    @property
    def pid(self) -> int:
        """The process of the node that runs."""
        assert self._server is not None
        return self._server.pid

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return self._server is not None and self._server.is_running

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self.is_spent = True
        if self._server is None:
            return
        if not self._is_paused:
            # RabbitMQ 3.10 writes its list of quorum queues half a second late: one that was
            # declared just before a crash would never answer again. Not what is tested here.
            self.evaluate("[dets:sync(Table) || Table <- dets:all()].")
        self._server.end()
        self._is_paused = False

    def shut_down(self) -> None:
        """Stop it as an administrator would, with a goodbye to everybody; ``start`` brings it back."""
        self.is_spent = True
        server = self._server
        if server is not None:
            self.control("stop")
            wait_until(lambda: not server.is_running, "RabbitMQ has stopped")

    def wipe(self) -> None:
        """Kill it and take its disk away: ``start`` brings up an empty one at the same port."""
        self.kill()
        shutil.rmtree(self._home / "data")

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._server is not None
        self.is_spent = self._is_paused = True
        self._server.pause()

    def resume(self) -> None:
        assert self._server is not None
        self._server.resume()
        self._is_paused = False

    def stop(self) -> None:
        """End the node and its epmd."""
        for process in (self._server, self._epmd):
            if process is not None:
                process.end()

    def control(self, *arguments: str) -> str:
        """``rabbitmqctl``, which boots an Erlang VM each time: a second or two."""
        return run([str(_BIN / "rabbitmqctl"), "--quiet", *arguments], self._environment)

    def evaluate(self, erlang: str) -> str:
        """Evaluate Erlang inside the node, in milliseconds; returns what it gave.

        Raises:
            ServerError: it did not evaluate.
        """
        # A name of its own: by the usual one, a call is refused while the node still has the one before.
        caller, seconds = self.new_name("call"), f"{PATIENCE_SECONDS:g}"
        command = [self._erl_call, "-sname", self.name, "-h", caller, "-timeout", seconds, "-e"]
        answer = run(command, self._environment, text=erlang + "\n")
        if not answer.startswith("{ok, "):
            raise ServerError(f"{erlang.strip()}\n{answer}")
        return answer[len("{ok, ") : -1]

    def new_name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def add_vhost(self, name: str) -> None:
        self.evaluate(f"""
            ok = rabbit_vhost:add(<<"{name}">>, <<"test">>),
            ok = rabbit_auth_backend_internal:set_permissions(
                <<"{self.user}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>).
        """)

    def delete_vhost(self, name: str) -> None:
        self.evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"test">>).')

    def _accepts(self) -> bool:
        """Whether it answers the protocol's header, which it does once everything has booted."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\0\0\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _make_environment(self) -> dict[str, str]:
        home = self._home
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "ERL_EPMD_PORT": str(reserve_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(home / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(reserve_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_CTL_DIST_PORT_MAX": "45672",  # more than ten commands at once, in all sessions
            # The wrapper script becomes the node instead of waiting for it: signals reach the node.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _write_configuration(self, settings: str) -> None:
        cookie = self._home / ".erlang.cookie"
        cookie.write_text(self.cookie)
        cookie.chmod(0o400)
        (self._home / "plugins").write_text("[].\n")
        ours = _CONFIGURATION.format(port=self.port, user=self.user, password=self.password)
        (self._home / "rabbitmq.conf").write_text(ours + settings)


class RabbitMQ:
    """A test's own vhost, empty: no topology stands in it yet."""

    def __init__(self, node: Node, vhost: str) -> None:
        self._node = node
        self.port = node.port
        self.vhost = vhost
        self.url = self.url_of(node.user, node.password)
        """``amqp://`` of a user who may do everything in the vhost."""

    @property
    def pid(self) -> int:
        """The node's process."""
        return self._node.pid

    def url_of(self, user: str, password: str, *, port: int | None = None, vhost: str | None = None) -> str:
        """The vhost's address for somebody else, through a proxy's port, or of another vhost."""
        return f"amqp://{user}:{password}@127.0.0.1:{port or self.port}/{quote(vhost or self.vhost, safe='')}"

    def add_user(self, *, configure: str = "^$", write: str = "^$", read: str = "^$") -> str:
        """Make a user with these rights in the vhost (regular expressions); returns their URL."""
        name, password = f"{self.vhost}-{self._node.new_name('user')}", secrets.token_hex(8)
        self._node.evaluate(f"""
            ok = rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"test">>),
            ok = rabbit_auth_backend_internal:set_permissions(<<"{name}">>, <<"{self.vhost}">>,
                {_binary(configure)}, {_binary(write)}, {_binary(read)}, <<"test">>).
        """)
        return self.url_of(name, password)

    def limit(self, queue: str, messages: int | None) -> None:
        """Let a queue hold so many messages, by a policy of the vhost; None ends it."""
        vhost = f'<<"{self.vhost}">>'
        if messages is None:
            self._node.evaluate(f'rabbit_policy:delete({vhost}, <<"limit">>, <<"test">>).')
            return
        definition = _binary(json.dumps({"max-length": messages}))
        self._node.evaluate(f"""
            ok = rabbit_policy:parse_set({vhost}, <<"limit">>, {_binary(f"^{queue}$")}, {definition},
                <<"0">>, <<"queues">>, <<"test">>).
        """)

    def url_through(self, port: int, url: str | None = None) -> str:
        """An address in the vhost (its own `url` if none is given) through a proxy's port."""
        return (url or self.url).replace(f"@127.0.0.1:{self.port}/", f"@127.0.0.1:{port}/")

    async def set_rights(
        self, url: str, *, configure: str = "^$", write: str = "^$", read: str = "^$"
    ) -> None:
        """Give the user of this URL these rights in the vhost, and no others."""
        erlang = f"""
            ok = rabbit_auth_backend_internal:set_permissions({_binary(_user_of(url))}, <<"{self.vhost}">>,
                {_binary(configure)}, {_binary(write)}, {_binary(read)}, <<"test">>).
        """
        await asyncio.to_thread(self._node.evaluate, erlang)

    async def set_password(self, url: str, password: str) -> None:
        """Change the password of this URL's user; connections that stand stay."""
        user = _binary(_user_of(url))
        erlang = f'rabbit_auth_backend_internal:change_password({user}, {_binary(password)}, <<"test">>).'
        await asyncio.to_thread(self._node.evaluate, erlang)

    async def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` with the arguments; on the node that others share, only look."""
        return await asyncio.to_thread(self._node.control, *arguments)


class PrivateRabbitMQ(RabbitMQ):
    """The same on a node that no other test uses: kill it, freeze it, raise its alarms."""

    def kill(self) -> None:
        """SIGKILL the node."""
        self._node.kill()

    async def shut_down(self) -> None:
        """Stop it gracefully: it says goodbye to every connection."""
        await asyncio.to_thread(self._node.shut_down)

    def wipe(self) -> None:
        """SIGKILL the node and remove all that it kept: users, queues and what lay in them."""
        self._node.wipe()

    async def start(self) -> None:
        """Start it again on the data that it left, and wait until it accepts."""
        await asyncio.to_thread(self._node.start)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._node.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._node.resume()

    async def configure(self, **settings: int) -> None:
        """Change settings of the running node (the environment of its application ``rabbit``)."""
        self._node.is_spent = True
        for name, value in settings.items():
            await asyncio.to_thread(self._node.evaluate, f"application:set_env(rabbit, {name}, {value}).")

    async def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` with the arguments."""
        self._node.is_spent = True
        return await super().control(*arguments)


class Nodes:
    """The session's nodes: one that tests share, and one after the other for those that break theirs."""

    def __init__(self) -> None:
        self._shared_exit, self._private_exit = ExitStack(), ExitStack()
        self._shared: Node | None = None
        self._private: Node | None = None

    @contextmanager
    def shared(self) -> Iterator[RabbitMQ]:
        """A fresh vhost on the shared node."""
        if self._shared is None:
            self._shared = self._shared_exit.enter_context(_node())
        with _vhost(self._shared) as vhost:
            yield RabbitMQ(self._shared, vhost)

    @contextmanager
    def private(self) -> Iterator[PrivateRabbitMQ]:
        """A fresh vhost on a node that nobody has harmed; what the last test harmed is replaced."""
        if self._private is not None and self._private.is_spent:
            self._private_exit.close()
            self._private = None
        if self._private is None:
            self._private = self._private_exit.enter_context(_node())
        with _vhost(self._private) as vhost:
            yield PrivateRabbitMQ(self._private, vhost)

    def stop(self) -> None:
        self._private_exit.close()
        self._shared_exit.close()


@contextmanager
def _node() -> Iterator[Node]:
    with temporary_home("rabbitmq") as home:
        node = Node(home)
        try:
            node.start()
            yield node
        finally:
            node.stop()


@contextmanager
def _vhost(node: Node) -> Iterator[str]:
    vhost = node.new_name("test")
    node.add_vhost(vhost)
    try:
        yield vhost
    finally:
        if not node.is_spent:  # a spent node goes as a whole
            node.delete_vhost(vhost)


def _user_of(url: str) -> str:
    return urlsplit(url).username or ""


def _binary(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'

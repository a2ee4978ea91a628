"""A RabbitMQ cluster of three nodes on this machine: kill one, cut one off, bring them back."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import quote

from tests.servers.process import ServerError, temporary_home, wait_until
from tests.servers.rabbitmq import Node

NODES: Final = 3
# A node that sees no majority stops, and its clients go to another, as the guide advises.
_SETTINGS: Final = "cluster_partition_handling = pause_minority\n"
_STRANGER: Final = "no-such-cookie"


class Cluster:
    """Three nodes that share users, vhosts and queues; a test's own vhost in it."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self.vhost = ""

    @property
    def urls(self) -> list[str]:
        """``amqp://`` of each node, by a user who may do everything."""
        first = self._nodes[0]
        vhost = quote(self.vhost, safe="")
        return [f"amqp://{first.user}:{first.password}@127.0.0.1:{one.port}/{vhost}" for one in self._nodes]

    @property
    def url(self) -> str:
        """All of them as one setting."""
        return ",".join(self.urls)

    def node_at(self, port: int) -> int:
        """The node that a connection to this port is with."""
        return next(number for number, node in enumerate(self._nodes) if node.port == port)

    def kill(self, node: int) -> None:
        """SIGKILL."""
        self._nodes[node].kill()

    async def start(self, *nodes: int) -> None:
        """Start these again, side by side: alone, one of two that died waits for the other."""
        await asyncio.gather(*(asyncio.to_thread(self._nodes[node].start) for node in nodes))
        await asyncio.to_thread(self.wait_until_whole)

    def wait_until_whole(self) -> None:
        """Return when every node runs and sees the others."""
        for node in self._nodes:
            wait_until(lambda node=node: self._sees_all(node), f"{node.name} sees all nodes")  # type: ignore[misc]  # a loop's variable

    def _sees_all(self, node: Node) -> bool:
        try:
            return node._accepts() and node.evaluate("length(rabbit_nodes:all_running()).") == str(NODES)
        except ServerError:
            return False

    def cut_off(self, node: int) -> None:
        """Part a node from the others, both ways, by a cookie that they refuse; clients still reach it.

        It stands still meanwhile. If one of the others missed it while the next still had an answer from it,
        RabbitMQ would take the partition for a partial one, and pause until the whole cluster is back.
        With Khepri (always since RabbitMQ 4.3) no node pauses: the minority stays up, without its queues.
        """
        self._set_cookie(node, f"'{_STRANGER}'")
        parted = self._nodes[node]
        parted.pause()
        try:
            for other in self._others(node):
                other.evaluate(f"erlang:disconnect_node('{parted.name}').")
        finally:
            parted.resume()
        if not _has_khepri(parted):
            wait_until(lambda: not parted._accepts(), "the minority has paused")

    async def join(self, node: int) -> None:
        """Let them see each other again."""
        self._set_cookie(node, "erlang:get_cookie()")
        await asyncio.to_thread(self.wait_until_whole)

    def _set_cookie(self, node: int, cookie: str) -> None:
        names = ",".join(f"'{one.name}'" for one in self._others(node))
        self._nodes[node].evaluate(f"[erlang:set_cookie(One, {cookie}) || One <- [{names}]].")

    def _others(self, node: int) -> list[Node]:
        return [one for number, one in enumerate(self._nodes) if number != node]

    def members(self, queue: str) -> set[int]:
        """The nodes that keep a quorum queue's messages."""
        found = self._ask(f"maps:get(nodes, amqqueue:get_type_state({self._queue(queue)})).")
        return {number for number, node in enumerate(self._nodes) if node.name in found}

    def leader(self, queue: str) -> int | None:
        """The node that leads a quorum queue now; None while they elect one."""
        found = self._ask(f"""
            case ra:members({{element(1, amqqueue:get_pid({self._queue(queue)})), node()}}) of
                {{ok, _, {{_, Leader}}}} -> Leader;
                _ -> none
            end.
        """)
        return next((number for number, node in enumerate(self._nodes) if node.name in found), None)

    def _queue(self, name: str) -> str:
        resource = f'rabbit_misc:r(<<"{self.vhost}">>, queue, <<"{name}">>)'
        return f"element(2, rabbit_amqqueue:lookup({resource}))"

    def _ask(self, erlang: str) -> str:
        return next(one for one in self._nodes if one.is_up).evaluate(erlang)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Three nodes, joined."""
    with ExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(NODES):
            home = stack.enter_context(temporary_home("rabbitmq-cluster"))
            node = Node(home, settings=_SETTINGS, beside=nodes[0] if nodes else None)
            nodes.append(node)
            stack.callback(node.stop)
        nodes[0].start()
        with ThreadPoolExecutor(NODES) as threads:
            list(threads.map(Node.start, nodes[1:]))
        for node in nodes[1:]:
            for step in ("rabbit:stop()", _join(nodes[0]), "rabbit:start()"):
                node.evaluate(f"ok = {step}.")
        whole = Cluster(nodes)
        whole.wait_until_whole()
        yield whole


def _join(first: Node) -> str:
    """The call by which a node joins the first: RabbitMQ 3.13 has a new one, 4.3 no longer the old one."""
    return (
        "case code:ensure_loaded(rabbit_db_cluster) of "
        f"{{module, _}} -> rabbit_db_cluster:join('{first.name}', disc); "
        f"_ -> rabbit_mnesia:join_cluster('{first.name}', disc) end"
    )


def _has_khepri(node: Node) -> bool:
    """Whether the node keeps its metadata there; what has no such module keeps them in Mnesia."""
    return node.evaluate("catch rabbit_khepri:is_enabled().") == "true"


@contextmanager
def vhost_in(whole: Cluster) -> Iterator[Cluster]:
    """The cluster with a fresh vhost; whatever a test left dead is started again."""
    node = whole._nodes[0]
    whole.vhost = node.new_name("test")
    node.add_vhost(whole.vhost)
    try:
        yield whole
    finally:
        with ThreadPoolExecutor(NODES) as threads:
            list(threads.map(Node.start, whole._nodes))
        whole.wait_until_whole()
        node.delete_vhost(whole.vhost)

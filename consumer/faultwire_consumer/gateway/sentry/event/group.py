"""The order of an event's exceptions: which raised which, and which are members of a group."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from faultwire_consumer.gateway.sentry.event.mechanism import mechanism_of

DEPTH: Final = 5
"""How deep a group may stand in another; what is deeper is left out."""
_MEMBER: Final = re.compile(r".*\[\d+\]", re.DOTALL)


class ChainLink(Struct, frozen=True):
    """One exception of a chain, and the chains of its members."""

    given: dict[str, Any]
    members: list[list["ChainLink"]] = field(default_factory=list)


class _Node(Struct, frozen=True):
    given: dict[str, Any]
    number: int
    parent: int | None
    is_member: bool


def order(raised_first: Sequence[dict[str, Any]]) -> list[ChainLink]:
    """Return the chain of the exception that was raised, with the members of groups apart from its causes.

    By ``exception_id`` and ``parent_id`` of the mechanisms (Sentry's "Exception Interface"); clients that
    do not send them send a chain. An exception that hangs on none of the others ends the chain.
    """
    nodes = [_node(given) for given in raised_first]
    known = [node for node in nodes if node is not None]
    if len(known) != len(nodes) or len({node.number for node in known}) != len(nodes) or not nodes:
        return [ChainLink(given) for given in raised_first]
    tree = _Tree(known)
    root = next((node for node in known if node.parent is None), known[0])
    chain = tree.chain(root, 0)
    return chain + [ChainLink(node.given) for node in known if node.number not in tree.seen]


class _Tree:
    """Follows the numbers, each once, so that no circle of them is endless."""

    def __init__(self, nodes: Sequence[_Node]) -> None:
        self.seen: set[int] = set()
        self._children: defaultdict[int, list[_Node]] = defaultdict(list)
        for node in nodes:
            if node.parent is not None and node.parent != node.number:
                self._children[node.parent].append(node)

    def chain(self, first: _Node, depth: int) -> list[ChainLink]:
        found: list[ChainLink] = []
        node: _Node | None = first
        while node is not None:
            self.seen.add(node.number)
            below = [each for each in self._children[node.number] if each.number not in self.seen]
            cause = next((each for each in below if not each.is_member), None)
            self.seen.update(each.number for each in below)
            found.append(ChainLink(node.given, self._members(below, cause, depth)))
            node = cause
        return found

    def _members(self, below: Sequence[_Node], cause: _Node | None, depth: int) -> list[list[ChainLink]]:
        if depth >= DEPTH:
            self._pass_over(each for each in below if each is not cause)
            return []
        return [self.chain(each, depth + 1) for each in below if each is not cause]

    def _pass_over(self, nodes: Iterable[_Node]) -> None:
        left = list(nodes)
        while left:
            below = [each for each in self._children[left.pop().number] if each.number not in self.seen]
            self.seen.update(each.number for each in below)
            left += below


def _node(given: dict[str, Any]) -> _Node | None:
    mechanism = mechanism_of(given)
    number, parent, source = (mechanism.get(name) for name in ("exception_id", "parent_id", "source"))
    if type(number) is not int:
        return None
    is_member = isinstance(source, str) and _MEMBER.fullmatch(source) is not None
    return _Node(given, number, parent if type(parent) is int else None, is_member)

"""Error of a policy that cannot be used."""

from collections.abc import Sequence


class PolicyError(Exception):
    """The policy is not valid; ``line`` says where, the text what is wrong and how to fix it."""

    def __init__(self, line: int, text: str, others: Sequence["PolicyError"] = ()) -> None:
        super().__init__(text)
        self.line = line
        self.others = tuple(others)
        """What else is wrong, in the order of the lines."""

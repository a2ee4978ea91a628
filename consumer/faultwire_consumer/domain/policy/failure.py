"""Error of a policy that cannot be used."""


class PolicyError(Exception):
    """The policy is not valid; ``line`` says where, the text what is wrong and how to fix it."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line

"""Shell blocks: which of their lines are run, and what is checked of the others."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Final

from tests.tools.block import ROOT, Block

RUN: Final = {"faultwire", "curl", "python", "echo", "export", "cat", "printf", "unset", "cd", "mkdir"}
SERVE: Final = ("faultwire worker", "faultwire demo")

ONLY_PARSED: Final = {
    "./make-secrets": "tests/deploy runs it",
    "/opt/faultwire/bin/faultwire": "where an operator puts it",
    "apt-get": "installs on the machine",
    "claude": "an agent of somebody else's",
    "docker": "needs an engine",
    "git": "needs the repository's address",
    "kubectl": "needs a cluster",
    "opentelemetry-instrument": "comes with a distribution of OpenTelemetry, which is the reader's",
    "psql": "the reader's own database",
    "python3": "makes environments and fetches packages",
    "rabbitmqctl": "the reader's own broker",
    "source": "changes the shell that reads it; tests of the completion run a shell of their own",
    "sudo": "the reader's own machine",
    "systemctl": "the reader's own machine",
    "systemd-analyze": "the reader's own machine",
    "kustomize": "needs a cluster",
    "tar": "carries what another command has made",
    "promtool": "the reader's own Prometheus",
    ".venv/bin/pytest": "the tests run already",
    ".ci/run": "runs the tests, which run already",
    "tests/servers/another-debian": "makes a root of its own, which wants root",
    "tests/servers/install": "installs on the machine",
}

_ASSIGNMENT: Final = re.compile(r"^[A-Z_][A-Z0-9_]*=")


class DocumentError(AssertionError):
    """A block says something that is not so."""


def commands_of(block: Block) -> list[str]:
    """The commands as they are typed: prompts taken off, continued lines joined, output left out."""
    lines = block.text.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
    return [line for line in _joined(lines) if line.strip() and not line.lstrip().startswith("#")]


def _joined(lines: list[str]) -> Iterator[str]:
    """Lines with what their trailing backslash, open quote or here-document continues."""
    pending = ""
    until = None
    for line in lines:
        pending = f"{pending}\n{line}" if pending else line
        if until is None:
            here = re.search(r"<<-?\s*['\"]?(\w+)['\"]?", line)
            until = here[1] if here else None
            if until is None and not (line.endswith("\\") or _has_open_quote(pending)):
                yield pending
                pending = ""
        elif line.strip() == until:
            yield pending
            pending, until = "", None
    if pending:
        yield pending


def _has_open_quote(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def program_word(command: str) -> str:
    """What a command runs, behind variables that are set for it alone."""
    for word in shlex.split(command.replace("\\\n", " "), comments=True):
        if not _ASSIGNMENT.match(word):
            return word
    return "export"  # variables alone


def runs(command: str) -> bool:
    """Whether a command is run; what is not run is checked here as far as it goes.

    Raises:
        DocumentError: it names a make target or an extra that does not exist, or something unknown.
    """
    word = program_word(command)
    if word == "make":
        _check_make(command)
        return False
    if word in ("pip", "uv", "pipx"):
        _check_extras(command)
        return False
    if word in ONLY_PARSED:
        return False
    if word not in RUN:
        raise DocumentError(f"{word}: name it in RUN or ONLY_PARSED of tests/documents/shell.py")
    return True


def serves(command: str) -> bool:
    """Whether a command runs until it is stopped."""
    words = [word for word in shlex.split(command, comments=True) if not _ASSIGNMENT.match(word)]
    return " ".join(words[:2]) in SERVE and not {"--help", "-h", "--version"} & set(words)


def _check_make(command: str) -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    words = words[words.index("make") + 1 :]
    for word in words:
        if "=" not in word and not word.startswith("-") and word not in targets:
            raise DocumentError(f"make {word}: no such target")


def _check_extras(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"faultwire\[([^]]*)\]", command):
        unknown = {extra.strip() for extra in extras.split(",")} - project["optional-dependencies"].keys()
        if unknown:
            raise DocumentError(f"{command}: no such extra: {', '.join(sorted(unknown))}")

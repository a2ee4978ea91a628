"""Shell commands in the documents work as they are typed."""

import re
from pathlib import Path
from typing import Final

import pytest
from tests.documents.conftest import Localize
from tests.documents.reader import run_to_its_end
from tests.documents.shell import DocumentError, commands_of, program_word, runs, serves
from tests.servers.process import reserve_port
from tests.tools.block import Block, all_blocks

SHELL = [block for block in all_blocks() if block.language in ("sh", "console")]

# What serves goes to the background until the block ends, and then has to drain well.
_PRELUDE: Final = """\
set -euo pipefail
server=
trap 'test -z "$server" || kill -KILL "$server" 2>/dev/null || true' EXIT
serve() {
  "$@" &
  server=$!
  until curl --fail --silent --output /dev/null "$FAULTWIRE_URL/readyz"; do kill -0 "$server"; sleep 0.1; done
}
stop_serving() {
  test -z "$server" && return
  kill -TERM "$server"
  wait "$server"
  server=
}
"""


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_a_shell_block_works(
    block: Block, environment: dict[str, str], localize: Localize, tmp_path: Path
) -> None:
    commands = commands_of(block)
    run_to_its_end(["bash", "-n", "-c", "\n".join(commands)], environment, tmp_path)
    # Where a reader goes first (`cd faultwire`) is no place here.
    commands = [command for command in commands if runs(command) and program_word(command) != "cd"]
    if "parsed" in block.words or not commands:
        return
    if any(serves(command) for command in commands):
        # Its own worker, not the one that runs already.
        port = str(reserve_port())
        environment |= {"FAULTWIRE_HTTP_PORT": port, "FAULTWIRE_URL": f"http://127.0.0.1:{port}"}
        commands = [re.sub(r"\b8787\b", port, command) for command in commands]
    lines = [f"serve env {command.rstrip(' &')}" if serves(command) else command for command in commands]
    script = localize("\n".join([_PRELUDE, *lines, "stop_serving"]))
    run_to_its_end(["bash", "-c", script], environment, tmp_path)


@pytest.mark.parametrize("command", ["make tests", "pip install 'faultwire[everything]'", "frobnicate --now"])
def test_a_command_that_does_not_exist_is_noticed(command: str) -> None:
    with pytest.raises(DocumentError):
        runs(command)

"""Python in the documents runs as it stands."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from tests.documents.conftest import Localize
from tests.documents.reader import PROGRAM, RUN_PYTHON, run_to_its_end, run_until_it_listens
from tests.servers.process import reserve_port
from tests.servers.worker import Worker
from tests.tools.block import Block, all_blocks, program_of

BLOCKS = all_blocks()
PYTHON = [block for block in BLOCKS if block.language == "python"]


@pytest.fixture
def service(
    block: Block, environment: dict[str, str], worker: Worker, request: pytest.FixtureRequest
) -> dict[str, str]:
    """The environment of a service: told where to send its errors, to RabbitMQ if it speaks AMQP itself."""
    speaks_amqp = re.search(r"\b(pika|aio_pika|amqp)\b", program_of(block, BLOCKS))
    address = request.getfixturevalue("broker_url") if speaks_amqp else worker.url
    return environment | {"FAULTWIRE_BROKER_URL": address, "FAULTWIRE_SERVICE": "billing"}


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_a_python_block_runs(
    block: Block, service: dict[str, str], localize: Localize, tmp_path: Path
) -> None:
    program = program_of(block, BLOCKS)
    compile(program, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if "parsed" in block.words:
        return
    port = block.option("serves")
    own_port = reserve_port()
    program = localize(program if port is None else program.replace(port, str(own_port)))
    (tmp_path / PROGRAM).write_text(program)
    script = [sys.executable, str(RUN_PYTHON), PROGRAM]
    if port is not None:
        run_until_it_listens(script, service, tmp_path, own_port)
    elif re.search(r"^(async )?def test_", program, re.MULTILINE):
        options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "-o", "asyncio_mode=auto"]
        run_to_its_end([sys.executable, "-m", "pytest", *options, PROGRAM], service, tmp_path)
    else:
        run_to_its_end(script, service, tmp_path)

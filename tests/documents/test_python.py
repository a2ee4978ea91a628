"""Python in the documents runs as it stands."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from tests.documents.block import Block, all_blocks, program_of
from tests.documents.conftest import Localize
from tests.documents.reader import PROGRAM, RUN_PYTHON, run_to_its_end, run_until_it_listens
from tests.servers.process import reserve_port

BLOCKS = all_blocks()
PYTHON = [block for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_a_python_block_runs(
    block: Block, environment: dict[str, str], localize: Localize, tmp_path: Path
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
        run_until_it_listens(script, environment, tmp_path, own_port)
    elif re.search(r"^(async )?def test_", program, re.MULTILINE):
        options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "-o", "asyncio_mode=auto"]
        run_to_its_end([sys.executable, "-m", "pytest", *options, PROGRAM], environment, tmp_path)
    else:
        run_to_its_end(script, environment, tmp_path)

"""Data in the documents is read by what would read it."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from tests.documents.reader import run_to_its_end
from tests.servers.worker import clean_environment
from tests.tools.block import Block, all_blocks, read_blocks

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_shared import codec

BLOCKS = all_blocks()
TOML = [block for block in BLOCKS if block.language == "toml"]
JSON = [block for block in BLOCKS if block.language == "json"]

TESTED: Final = {"python", "toml", "json", "sh", "console"}
SHOWN: Final = {"text", "mermaid", "yaml", "ini", "sql", "promql", "dockerfile"}

_LOAD_CONFIG: Final = "from faultwire_consumer.config import load_config; load_config()"


def test_every_block_says_what_it_is() -> None:
    unknown = {block.place: block.language for block in BLOCKS if block.language not in TESTED | SHOWN}
    assert not unknown, "say `text` for what is only shown"


@pytest.mark.parametrize("block", TOML, ids=lambda block: block.place)
def test_a_toml_block_is_read(block: Block, tmp_path: Path) -> None:
    tomllib.loads(block.text)
    if "config" in block.words:
        path = tmp_path / "faultwire.toml"
        path.write_text(block.text)
        environment = clean_environment(tmp_path) | {"FAULTWIRE_CONFIG": str(path)}
        run_to_its_end([sys.executable, "-c", _LOAD_CONFIG], environment, tmp_path)
    if "policy" in block.words:
        parse_policy(block.text, shipped=shipped_text())


@pytest.mark.parametrize("block", JSON, ids=lambda block: block.place)
def test_a_json_block_is_read(block: Block) -> None:
    document = json.loads(block.text)
    if isinstance(document, dict) and "schema_version" in document:
        codec.decode(block.text.encode())


def test_blocks_are_found_with_their_lines_and_words() -> None:
    text = "# A\n\n- first\n  ```python serves=8080\n  x = 1\n  ```\n\n~~~sh\nmake\n~~~\n"
    python, shell = read_blocks("A.md", text)
    assert (python.place, python.text, python.option("serves")) == ("A.md:4", "x = 1\n", "8080")
    assert (shell.language, shell.text) == ("sh", "make\n")

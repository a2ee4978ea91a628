"""What a strict checker of a user's knows of the client's types."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

BIN: Final = Path(sys.executable).parent

pytestmark = [pytest.mark.e2e, pytest.mark.may_block("asks pyright, which takes some seconds")]


def test_every_public_name_of_the_client_has_a_type_that_needs_no_guess(tmp_path: Path) -> None:
    # It looks for the package where PATH's first Python has it, and for its settings where it is started.
    variables = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "VIRTUAL_ENV": str(BIN.parent)}
    words = [str(BIN / "pyright"), "--outputjson", "--ignoreexternal", "--verifytypes", "faultwire"]
    said = subprocess.run(
        words, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    found = json.loads(said.stdout)["typeCompleteness"]
    public = [one for one in found["symbols"] if one["isExported"]]
    assert len(public) > 500
    assert not [one["name"] for one in public if not one["isTypeKnown"] or one["isTypeAmbiguous"]]
    assert found["completenessScore"] == 1

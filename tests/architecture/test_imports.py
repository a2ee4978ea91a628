"""The arrows of `.importlinter`, each with its sentence there."""

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_import_follows_the_plan_of_the_house() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_room_is_optional_only_until_it_stands() -> None:
    plan = configparser.ConfigParser()
    plan.read(ROOT / ".importlinter")
    layers = plan["importlinter:contract:consumer"]["layers"].replace("|", " ").split()
    planned = {layer.strip("()") for layer in layers if layer.startswith("(")}
    package = ROOT / "consumer/faultwire_consumer"
    standing = {path.stem for path in package.iterdir() if path.suffix in ("", ".py")}
    assert not planned & standing, "take their parentheses off in .importlinter"

"""The release after this one: a copy whose schema is a step further, beside which this one has to go on."""

import shutil
from pathlib import Path
from typing import Final

from tests.tools.block import ROOT

from faultwire_consumer.store.migrations.schema_version import head

VERSION: Final = "0.3.0"
PACKAGES: Final = ("producer/faultwire", "consumer/faultwire_consumer", "shared/faultwire_shared")
MIGRATION: Final = '''"""Adds what the release before need not know."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{head}"


def upgrade() -> None:
    """A column with a default, one without, and a table."""
    schema = None if op.get_bind().dialect.name == "sqlite" else "faultwire"
    mood = sa.Column("mood", sa.String(20), nullable=False, server_default="unknown")
    op.add_column("incidents", mood, schema=schema)
    op.add_column("events", sa.Column("weight", sa.BigInteger), schema=schema)
    op.create_table("moods", sa.Column("id", sa.BigInteger, primary_key=True), schema=schema)
'''


def next_head() -> str:
    """The schema of the next release."""
    return f"{int(head()) + 1:04}"


def make_next_release(folder: Path) -> Path:
    """Write it into a folder, which is then to stand first in ``PYTHONPATH``."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / Path(package).name, ignore=shutil.ignore_patterns("__pycache__")
        )
    versions = folder / "faultwire_consumer/store/migrations/versions"
    (versions / f"{next_head()}_moods.py").write_text(MIGRATION.format(next=next_head(), head=head()))
    stated = folder / "faultwire_shared/__init__.py"
    text = stated.read_text()
    assert text.count("__version__ = ") == 1
    stated.write_text(text.partition("__version__ = ")[0] + f'__version__ = "{VERSION}"\n')
    return folder

"""What the extra `consumer` installs is enough for a worker on SQLite."""

import subprocess
import sys

import pytest


@pytest.mark.may_block("asks a fresh interpreter")
def test_the_worker_needs_no_driver_of_a_database_that_it_does_not_use() -> None:
    script = "import sys; sys.modules['asyncpg'] = None; import faultwire_consumer.store.engine"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=90)


@pytest.mark.may_block("asks a fresh interpreter")
def test_a_worker_whose_database_is_up_to_date_never_loads_alembic() -> None:
    script = "import sys; sys.modules['alembic'] = None; import faultwire_consumer.worker.start"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=90)

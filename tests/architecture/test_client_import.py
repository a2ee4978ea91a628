"""What `import faultwire` may cost its host."""

import subprocess
import sys

import faultwire

HEAVY = ("aio_pika", "aiormq", "aiohttp", "structlog", "backoff", "asyncio", "faultwire_consumer")


def test_importing_the_client_imports_none_of_the_heavy_libraries() -> None:
    script = f"import sys, faultwire; print([name for name in {HEAVY!r} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_no_host_is_imported_before_it_is_asked_for() -> None:
    hosts = ("aiohttp", "starlette", "fastapi", "flask", "django", "werkzeug", "asgiref")
    modules = "faultwire.integrations.host, faultwire.integrations.asgi, faultwire.integrations.wsgi"
    script = f"import sys, {modules}; print([name for name in {hosts!r} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert sorted(faultwire.__all__) == faultwire.__all__
    assert all(hasattr(faultwire, name) for name in faultwire.__all__)

"""The guide's lines for nginx in a real one: the page below a path, and a login that the worker believes."""

import json
import os
import re
import secrets
import signal
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest
from tests.servers.process import ServerProcess, reserve_port, run, temporary_home, wait_until
from tests.servers.worker import FAULTWIRE, Worker

NGINX: Final = "/usr/sbin/nginx"
DEPLOY: Final = Path(__file__).parents[2] / "deploy"
GUIDE: Final = DEPLOY / "docs/operate/proxy.md"
_SETTINGS: Final = """
user root;
pid {home}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.may_block("starts nginx and a worker and asks them"),
    pytest.mark.skipif(
        not Path(NGINX).exists() and not os.environ.get("CI"),
        reason="wants nginx: tests/servers/install nginx",
    ),
]


class Site:
    """A worker behind nginx, which lets ada in by her password."""

    def __init__(self, worker: Worker, port: int) -> None:
        self.worker = worker
        self.netloc = f"127.0.0.1:{port}"
        self.url = f"http://{self.netloc}/errors"
        self.own_url = f"http://ada:pw@{self.netloc}/errors"

    def get(
        self, url: str, *, user: str | None = "ada:pw", body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        """Ask as a browser does; status and text."""
        if user is not None:
            headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        sent = {name.replace("_", "-"): one for name, one in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(url, body, sent)  # noqa: S310 - our own http
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def acknowledge(self, incident: str, **headers: str) -> int:
        """Act as the page does; the status."""
        return self.get(f"{self.url}/api/v1/incidents/{incident}/acknowledge", body=b"{}", **headers)[0]

    def command(self, *arguments: str) -> Any:
        """A command through nginx, and the JSON that it prints."""
        text = run(
            [FAULTWIRE, *arguments, "--json"], self.worker.environment | {"FAULTWIRE_URL": self.own_url}
        )
        return json.loads(text)


class Links(HTMLParser):
    """What a page loads, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded, self.led_to, self.posted_to = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None or value.startswith("#"):
                continue
            if name == "src" or (tag == "link" and name == "href"):
                self.loaded.append(value)
            elif name == "href":
                self.led_to.append(value)
            elif name == "action":
                self.posted_to.append(value)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port, secret = reserve_port(), secrets.token_hex(32)
    worker = Worker(tmp_path)
    (tmp_path / "proxy_secret").write_text(secret)
    worker.environment |= {
        "FAULTWIRE_ACCESS": "proxy",
        "FAULTWIRE_PUBLIC_URL": f"http://127.0.0.1:{port}/errors",
        "FAULTWIRE_PROXY_USER_HEADER": "X-Forwarded-User",
        "FAULTWIRE_PROXY_NETWORKS": "127.0.0.1",
        "FAULTWIRE_PROXY_SECRET_FILE": str(tmp_path / "proxy_secret"),
        "FAULTWIRE_PROXY_DEFAULT_ROLE": "operator",
    }
    token = worker.command("access", "token", "create", "ci", "--scope", "ingest", "--service", "*", "-q")
    worker.start()
    try:
        with temporary_home("nginx") as home, _nginx(home, port, worker.port, secret):
            worker.environment["FAULTWIRE_TOKEN"] = token.strip()
            worker.command(
                "send", "--service", "backup", "--severity", "high", "--message", "the disk is full"
            )
            del worker.environment["FAULTWIRE_TOKEN"]
            yield Site(worker, port)
    finally:
        assert worker.terminate() == 0


def _nginx(home: Path, port: int, worker_port: int, secret: str) -> Any:
    """nginx with the guide's block as it stands, but for ports, paths and the secret."""
    (block,) = re.findall(r"^```text\n(location .*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    users = home / "faultwire.users"
    users.write_text("ada:{PLAIN}pw\n")
    location = block.replace("/etc/nginx/faultwire.users", str(users)).replace('"…"', f'"{secret}"')
    settings = home / "nginx.conf"
    location = location.replace(":8787/", f":{worker_port}/")
    settings.write_text(_SETTINGS.format(home=home, port=port, location=location))
    return _running([NGINX, "-p", str(home), "-c", str(settings), "-g", "daemon off;"], home, port)


class _running:  # noqa: N801 - a context
    def __init__(self, command: list[str], home: Path, port: int) -> None:
        self._command, self._home, self._port = command, home, port

    def __enter__(self) -> None:
        self._process = ServerProcess(self._command, {"PATH": os.environ["PATH"]}, self._home / "log")
        self._process.wait_until(self._answers, "nginx answers")

    def __exit__(self, *_: object) -> None:
        self._process.end(signal.SIGTERM)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=5).close()
        except urllib.error.HTTPError as refusal:
            refusal.close()
        except OSError:
            return False
        return True


def test_the_compose_file_s_proxy_leads_to_both_workers_by_tls(tmp_path: Path) -> None:
    workers = [Worker(tmp_path / name) for name in ("worker-1", "worker-2")]
    with temporary_home("nginx") as home:
        run([str(DEPLOY / "make-secrets"), str(home)])
        port, text = reserve_port(), (DEPLOY / "compose/nginx.conf").read_text()
        scratch, secrets_at = "/tmp/", "/run/secrets/"  # noqa: S108 - the container's
        for old, new in ((scratch, f"{home}/"), (secrets_at, f"{home}/"), ("8443", str(port))):
            assert old in text
            text = text.replace(old, new)
        for worker in workers:
            worker.home.mkdir()
            text = text.replace(f"{worker.home.name}:8787", f"127.0.0.1:{worker.port}")
        (home / "nginx.conf").write_text(f"user root;\n{text}")
        trusted = ssl.create_default_context(cafile=home / "tls_certificate")
        command = [NGINX, "-p", str(home), "-c", str(home / "nginx.conf"), "-g", "daemon off;"]
        with _running(command, home, port):
            assert _asked_by_tls(port, "/proxy-health", trusted) == 204
            assert _asked_by_tls(port, "/readyz", trusted) == 502
            for worker in workers:  # one is enough, whichever it is
                worker.start()
                wait_until(lambda: _asked_by_tls(port, "/readyz", trusted) == 200, "nginx has found it")
                assert worker.terminate() == 0


def _asked_by_tls(port: int, path: str, trusted: ssl.SSLContext) -> int:
    request = f"https://127.0.0.1:{port}{path}"
    try:
        with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


def test_every_link_of_the_page_stays_below_the_path_and_leads_somewhere(site: Site) -> None:
    seen, waiting = set[str](), [f"{site.url}/"]
    while waiting and len(seen) < 40:
        page = waiting.pop(0)
        status, text = site.get(page)
        assert status == 200, page
        links = Links()
        links.feed(text)
        for link in (*links.loaded, *links.led_to, *links.posted_to):
            url = urljoin(page, link).partition("#")[0]
            if urlsplit(url).netloc != site.netloc:
                continue
            assert urlsplit(url).path.startswith("/errors/"), f"{page}: {link}"
            if urlsplit(url).query or url in seen or link in links.posted_to:
                continue
            seen.add(url)
            if link in links.loaded:
                assert site.get(url)[0] == 200, f"{page}: {link}"
            elif "sign-out" not in url:
                waiting.append(url)
    assert any("/incidents/" in url or "/i/" in url for url in seen), sorted(seen)


def test_who_acts_through_nginx_is_who_signed_in_there(site: Site) -> None:
    assert len(site.command("incidents", "list")["incidents"]) == 1
    assert site.acknowledge("INC-1", Sec_Fetch_Site="cross-site") == 403
    assert site.acknowledge("INC-1", Sec_Fetch_Site="same-origin") == 200
    shown = site.command("incidents", "show", "INC-1")
    assert "ada" in json.dumps(shown["history"])


def test_a_name_that_a_client_claims_is_nobody_s(site: Site) -> None:
    status, text = site.get(f"{site.url}/api/v1/me", X_Forwarded_User="eve", X_Forwarded_Groups="sre")
    assert status == 200
    assert "ada" in text
    assert "eve" not in text
    assert site.get(f"{site.url}/api/v1/me", user=None)[0] == 401
    status, text = site.get(f"{site.worker.url}/api/v1/me", user=None, X_Forwarded_User="eve")
    assert status == 401, "without the proxy's secret its word is not believed, on its own machine too"


def test_the_change_feed_is_not_held_back(site: Site) -> None:
    request = urllib.request.Request(f"{site.url}/api/v1/changes")  # noqa: S310 - our own http
    request.add_header("Authorization", f"Basic {b64encode(b'ada:pw').decode()}")
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.readline()

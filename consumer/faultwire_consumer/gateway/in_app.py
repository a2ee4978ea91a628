"""Tells the service's own code from a library's, by where each language keeps libraries.

A judgement of what came without one: a foreign event's frames name a file, and seldom say whose it is.
"""

import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

_LONGEST: Final = 2048
"""Characters of a path or a module that are looked at."""
_PYTHON_PACKAGES: Final = ("site-packages", "dist-packages")
_JAVA_LIBRARIES: Final = """
java. javax. jakarta. jdk. sun. com.sun. kotlin. kotlinx. scala. groovy. clojure. akka. android.
androidx. com.fasterxml. com.google.common. com.mysql. com.zaxxer. dalvik. io.grpc. io.micronaut.
io.netty. io.opentelemetry. io.quarkus. io.undertow. io.vertx. okhttp3. org.apache. org.eclipse.jetty.
org.glassfish. org.gradle. org.hibernate. org.jboss. org.junit. org.postgresql. org.slf4j.
org.springframework. reactor. retrofit2.
"""
_NODE_CORE: Final = """
_http_agent _http_client _http_common _http_incoming _http_outgoing _http_server _stream_duplex
_stream_passthrough _stream_readable _stream_transform _stream_writable _tls_common _tls_wrap assert
async_hooks bootstrap_node buffer child_process cluster console crypto dgram diagnostics_channel dns
domain events fs http http2 https inspector module net os path perf_hooks process punycode querystring
readline repl stream string_decoder timers tls tty url util v8 vm worker_threads zlib
"""
_BROWSER_SCHEMES: Final = (
    "chrome-extension:",
    "moz-extension:",
    "safari-extension:",
    "safari-web-extension:",
)
_JAVASCRIPT_RUNTIMES: Final = ("node:", "internal/", "internal:", "bun:", "deno:", "ext:", "native", "<")
_GO_STANDARD: Final = """
bufio bytes compress context crypto database encoding errors fmt html image internal io log math mime
net os path reflect regexp runtime sort strconv strings sync syscall testing text time unicode
"""
_java_libraries: Final = tuple(_JAVA_LIBRARIES.split())
_node_core: Final = frozenset(_NODE_CORE.split())
_go_standard: Final = frozenset(_GO_STANDARD.split())


def is_own_code(file: str, module: str, language: str) -> bool:
    """Judge one frame; True where nothing says that it is a library's.

    Args:
        file: its path or address as the SDK gave it; may be empty, and of Windows.
        module: its dotted module or class, empty where there is none.
        language: as Sentry's ``platform`` or OpenTelemetry's ``telemetry.sdk.language`` name it, in any case.
            Of an unknown one, every language's folders of packages count.
    """
    path = file[:_LONGEST].replace("\\", "/")
    judge = _JUDGES.get(language.lower())
    if judge is not None:
        return not judge(path, module[:_LONGEST])
    return not any(one(path, "") for one in (_is_of_python_packages, _is_node_package, _is_ruby, _is_php))


def _is_python(path: str, module: str) -> bool:
    if path.startswith("<frozen"):
        return True
    parts = path.split("/")
    if _is_of_python_packages(path, module) or _lies_in_standard_library(parts):
        return True
    # A short path says nothing of where it lies: those of a service's root look the same.
    is_short = not path.startswith(("/", "<")) and ":" not in path
    return is_short and module.partition(".")[0] in sys.stdlib_module_names


def _is_of_python_packages(path: str, _module: str) -> bool:
    return any(part in _PYTHON_PACKAGES for part in path.split("/"))


def _lies_in_standard_library(parts: list[str]) -> bool:
    """Return True below ``lib/python3.11`` of any prefix, and below Windows' ``Python311/Lib``."""
    pairs = list(pairwise(parts))
    if any(first in ("lib", "lib64") and second.startswith("python3") for first, second in pairs):
        return True
    if any(part.startswith("python3") and part.endswith(".zip") for part in parts):
        return True
    return any(first.lower().startswith("python3") and second == "Lib" for first, second in pairs)


def _is_javascript(path: str, module: str) -> bool:
    if _is_node_package(path, module) or path.startswith((*_JAVASCRIPT_RUNTIMES, *_BROWSER_SCHEMES)):
        return True
    if "webpack/bootstrap" in path or "webpack/runtime/" in path:
        return True
    name, dot, ending = path.partition(".")
    return dot == "." and ending == "js" and name in _node_core  # Node before 15


def _is_node_package(path: str, _module: str) -> bool:
    # A tilde was Webpack 1's, and `.yarn` holds the archives of its plug and play.
    return any(part in ("node_modules", "~", ".yarn", ".pnpm") for part in path.split("/"))


def _is_java(_path: str, module: str) -> bool:
    return module.startswith(_java_libraries)


def _is_ruby(path: str, _module: str) -> bool:
    return path.startswith("<internal:") or any(part in path for part in ("/gems/", "/lib/ruby/"))


def _is_php(path: str, _module: str) -> bool:
    return "/vendor/" in path or path == "[internal]"


def _is_go(path: str, module: str) -> bool:
    if any(part in path for part in ("/pkg/mod/", "/go/src/", "/libexec/src/", "/vendor/")):
        return True
    return module.partition("/")[0].partition(".")[0] in _go_standard and not path.startswith("/")


def _is_dotnet(_path: str, module: str) -> bool:
    return module.startswith(("System.", "Microsoft."))


_Judge = Callable[[str, str], bool]
_JUDGES: Final[Mapping[str, _Judge]] = {
    "python": _is_python,
    **dict.fromkeys(("javascript", "node", "nodejs", "webjs", "js", "typescript"), _is_javascript),
    **dict.fromkeys(("java", "kotlin", "scala"), _is_java),
    "ruby": _is_ruby,
    "php": _is_php,
    "go": _is_go,
    **dict.fromkeys(("csharp", "dotnet"), _is_dotnet),
}

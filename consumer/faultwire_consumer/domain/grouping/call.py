"""The names of what was called, without what a release, a machine or a moment put into them.

Numbers and hashes in the names of generated functions, classes, modules and files; proxies and lambdas
of the JVM; the directory of a release, and a bundle's hash. A version that people write (``v2``) stays.
"""

import re
from functools import lru_cache
from typing import Final

from faultwire_consumer.domain.grouping.material import GroupingFrame

NAME_CHARACTERS: Final = 200
"""Names are read up to here: what is remembered of strangers' names is bounded."""
_PATH_SEGMENTS: Final = 3
_NAMES: Final = 2048

_INSIDE: Final = re.compile(r"\.?<(?:listcomp|setcomp|dictcomp|genexpr)>|\.<locals>|\b__create_fn__\.")
_PROXY: Final = re.compile(
    r"\$\$(?:Enhancer|FastClass)By\w*(?:\$\$\w*)?|\$\$SpringCGLIB(?:\$\$\w*)?"
    r"|\$(?:ByteBuddy|HibernateProxy|MockitoMock)\$\w*|@anonymous.*"
)
_LAMBDA: Final = re.compile(r"\$\$Lambda[\w$/]*")
_REFLECTION: Final = ("sun.reflect.", "jdk.internal.reflect.", "java.lang.reflect.", "java.lang.invoke.")
_LIBRARY_MODULES: Final = (
    *("java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala."),
    *("org.springframework.", "org.apache.", "org.hibernate.", "io.netty.", "System.", "Microsoft."),
)
_LIBRARY_FILES: Final = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|pkg/mod|\.cargo/registry|gems/[\w-]+-\d[\w.]*"
    r"|vendor/(?:bundle|[\w-]+\.[a-z]{2,3}|[\w-]+/[\w-]+/src))/"
    r"|^(?:node:|<frozen |<internal:|/usr/(?:local/)?lib/(?:python|ruby|jvm|go)|/usr/local/go/)"
)

# A token of small letters and digits that is no word with a number behind it is a hash or an id.
_VARIABLE: Final = re.compile(
    r"""
    (?P<version>(?<![0-9A-Za-z])[vV]\d{1,2}(?![0-9A-Za-z]))
  | [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}
  | (?<![0-9A-Za-z])(?=[a-z]{0,63}\d)(?=\d{0,63}[a-z])(?![a-z]{1,63}\d{1,63}(?![0-9A-Za-z]))
    [0-9a-z]{6,64}(?![0-9A-Za-z])
  | (?<![0-9A-Za-z])(?=[A-F]{0,63}\d)(?=\d{0,63}[A-F])[0-9A-F]{6,64}(?![0-9A-Za-z])
  | \d+(?:[._-]\d+)*
    """,
    re.VERBOSE,
)
_TOLD_APART: Final = re.compile(r"\d{1,2}|[1-5]\d\d")
"""Numbers of types that people wrote: ``Phase2Error``, ``Http404``."""
_TENANT: Final = re.compile(r"\b(tenants?[._/-])\w+(?=[./])")

_ORIGIN: Final = re.compile(r"^[A-Za-z][\w+.-]*://[^/]*|[?#].*$")
_PACKAGE_VERSION: Final = re.compile(r"@v?\d[\w.+-]*")
_BUNDLE_HASH: Final = re.compile(r"[-.](?=[^.]*[0-9A-Z])[\w-]{8}(?=(?:\.min)?\.(?:[mc]?js|css)$)")
_RELEASE: Final = re.compile(r"^.*/(?:releases?|versions|deployments|builds)/[^/]+/(?=[^/]*/)")
_ROOT: Final = re.compile(
    r"^/(?:app|code|workspace|root|usr/src/[^/]+|var/www/[^/]+|(?:srv|opt|home|Users|build|tmp)/[^/]+)/(?:[vV]\d+/)?"
)
"""Folders in which services are put: their names are a machine's."""
_PASSING: Final = re.compile(r"[vV]?\d+(?:[._-]\w+)+|\d{3,}|tmp[a-z0-9_]{8}|(?=[a-f]{0,39}\d)[0-9a-f]{7,40}")
"""A folder that is named by a version, a moment or a hash alone."""

_BUILT_IN: Final = ("", "builtins")
_TIMEOUTS: Final = ("asyncio", "concurrent", "socket")
_ERRORS: Final = re.compile(r"(?:exceptions?|errors?|exc)$")


def call_of(frame: GroupingFrame) -> str:
    """Name a call, as ``module:qualname``."""
    module = frame.module
    if not module or "/" in module or "\\" in module:
        place = clean_file((module or frame.file)[-NAME_CHARACTERS:])
    else:
        place = clean_name(module[:NAME_CHARACTERS])
    return f"{place}:{clean_name(frame.qualname[:NAME_CHARACTERS])}"


def library_call_of(frame: GroupingFrame) -> str:
    """Name a call into a library by what its releases keep: the package, and the function's own name."""
    package, _, name = call_of(frame).rpartition(":")
    return f"{package.partition('.')[0]}:{name.rpartition('.')[2]}"


def is_of_library(frame: GroupingFrame) -> bool:
    """True for a call of what is installed, where a publisher did not say so."""
    return frame.module.startswith(_LIBRARY_MODULES) or _is_library_file(frame.file[-NAME_CHARACTERS:])


def is_reflection(frame: GroupingFrame) -> bool:
    """True for a call that stands between two others at times, and at times does not."""
    return frame.module.startswith(_REFLECTION)


def type_of(module: str, name: str) -> str:
    """Name an exception's type; private modules and those for errors alone move with a library's releases."""
    name = clean_type(name[:NAME_CHARACTERS])
    if module in _BUILT_IN or (name == "TimeoutError" and module.partition(".")[0] in _TIMEOUTS):
        return name
    return f"{clean_module(module[:NAME_CHARACTERS])}.{name}"


@lru_cache(_NAMES)
def _is_library_file(path: str) -> bool:
    return _LIBRARY_FILES.search(path) is not None


@lru_cache(_NAMES)
def clean_name(name: str) -> str:
    """Remove from a function's or module's name what generated it, and its numbers."""
    if "<" in name or "__create_fn__" in name:
        name = _INSIDE.sub("", name)
    if "$" in name or "@" in name:
        name = _LAMBDA.sub("$$Lambda", _PROXY.sub("", name))
    if "tenant" in name:
        name = _TENANT.sub(r"\g<1>0", name)
    return _VARIABLE.sub(_without_number, name)


@lru_cache(_NAMES)
def clean_type(name: str) -> str:
    """Remove from a type's name what generated it."""
    return _VARIABLE.sub(_without_long_number, _INSIDE.sub("", name))


@lru_cache(_NAMES)
def clean_module(module: str) -> str:
    """Name the module of a type by its public packages."""
    first, *inner = clean_type(module).split(".")
    return ".".join([first, *(one for one in inner if not one.startswith("_") and not _ERRORS.search(one))])


@lru_cache(_NAMES)
def clean_file(path: str) -> str:
    """Name a file by its last folders and its name, without what a machine or a release puts before them."""
    path = _PACKAGE_VERSION.sub("", _ORIGIN.sub("", path.replace("\\", "/")))
    path = _ROOT.sub("", _RELEASE.sub("", path), count=1)
    segments = [one for one in path.split("/") if one not in ("", ".", "..") and not _PASSING.fullmatch(one)]
    return clean_name(_BUNDLE_HASH.sub(".0", "/".join(segments[-_PATH_SEGMENTS:])))


def _without_number(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "version" else "0"


def _without_long_number(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "version" or _TOLD_APART.fullmatch(match[0]) else "0"

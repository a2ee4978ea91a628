"""Kubernetes' objects as they stand or as kustomize builds them, judged by strict schemas of two releases.

Kubernetes' own schemas come with the package kubernetes-validate; those of KEDA and Prometheus' operator are
ours and hold what is used. kustomize is that of Debian 13's kubectl, of which only the program is unpacked.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]  # has no types
import kubernetes_validate  # type: ignore[import-untyped]  # the same
from ruamel.yaml import YAML
from tests.deploy.debian_root import debian_root
from tests.servers.process import run

KUBERNETES: Final = Path(__file__).parents[2] / "deploy/kubernetes"
OLDEST: Final = "1.27"
NEWEST: Final = "1.37"
_SCHEMAS: Final = Path(__file__).parent / "schemas"

Manifest = dict[str, Any]


class InvalidManifestError(Exception):
    """A manifest is not of its schema; the text says where."""


def read_manifests(text: str) -> list[Manifest]:
    """The objects of a file."""
    return [one for one in YAML(typ="safe").load_all(text) if one is not None]


def files() -> Iterator[Path]:
    """Every file, kustomizations too."""
    yield from sorted(KUBERNETES.rglob("*.yaml"))


def build(folder: str) -> list[Manifest]:
    """What kustomize makes of a folder."""
    return read_manifests(run([str(_kubectl()), "kustomize", str(KUBERNETES / folder)]))


def check(manifest: Manifest, release: str) -> None:
    """Compare an object with its schema in a release of Kubernetes.

    Raises:
        InvalidManifestError: something in it is unknown, missing or of another type.
    """
    name = f"{manifest['kind']} {manifest.get('metadata', {}).get('name', '')}"
    try:
        own = _own_schema(manifest["apiVersion"], manifest["kind"])
        if own is not None:
            jsonschema.validate(manifest, own)
        else:
            kubernetes_validate.validate(manifest, release, strict=True)
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path))
        raise InvalidManifestError(f"{name}: {place}: {error.message[:400]}") from None
    except kubernetes_validate.SchemaNotFoundError as error:
        raise InvalidManifestError(f"{name}: {error.message}") from None


@cache
def _own_schema(api_version: str, kind: str) -> Any:
    group = api_version.partition("/")[0]
    version = api_version.replace("/", "-")
    names = [f"{version}-{kind}", version, group]
    found = [path for name in names if (path := _SCHEMAS / f"{name}.json").exists()]
    return json.loads(found[0].read_text()) if found else None


@cache
def _kubectl() -> Path:
    root = debian_root("kubectl", "kubernetes-client", release="trixie", variant="extract")
    return root / "usr/bin/kubectl"

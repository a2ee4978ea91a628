"""The manifests: strictly of Kubernetes' schemas, confined, and what kustomize makes of them fits together.

No cluster is here: nothing of this was ever applied.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.deploy.debian_root import can_be_made
from tests.deploy.manifest import (
    KUBERNETES,
    NEWEST,
    OLDEST,
    InvalidManifestError,
    Manifest,
    build,
    check,
    files,
    read_manifests,
)
from tests.tools.reference import alerts

from faultwire_consumer.config import load_config
from faultwire_shared import __version__

WORKLOADS: Final = ("Deployment", "StatefulSet", "Job")
FILES: Final = [path.relative_to(KUBERNETES).as_posix() for path in files()]
PODS: Final = [
    (name, one["metadata"]["name"])
    for name in FILES
    for one in read_manifests((KUBERNETES / name).read_text())
    if one["kind"] in WORKLOADS
]
SECRETS: Final = "/run/secrets/faultwire"
DASHBOARD: Final = "faultwire-dashboard"
ALLOWED_VOLUMES: Final = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim"}

BUILT: Final = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.may_block("runs kustomize"),
    pytest.mark.skipif(
        not can_be_made() and not os.environ.get("CI"), reason="wants root and mmdebstrap, for kubectl"
    ),
]


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_strictly_of_its_schema(name: str, release: str) -> None:
    objects = read_manifests((KUBERNETES / name).read_text())
    assert objects
    for one in objects:
        check(one, release)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("base/worker.yaml", "maxSurge: 1", "maxSurg: 1", "maxSurg"),
        ("base/worker.yaml", "replicas: 2", 'replicas: "2"', "replicas"),
        ("base/worker.yaml", "runAsNonRoot: true", "runAsNonRoot: 1", "runAsNonRoot"),
        ("base/worker.yaml", "apps/v1", "apps/v1beta1", "Couldn't find schema"),
        ("base/gateway.yaml", "serviceName: ", "service: ", "service"),
        ("base/migrate.yaml", "backoffLimit: 6", "backofflimit: 6", "backofflimit"),
        ("base/networkpolicy.yaml", "protocol: TCP", "protocols: TCP", "protocols"),
        ("base/pdb.yaml", "minAvailable: 1", "minAvailable: [1]", "minAvailable"),
        ("base/service.yaml", "targetPort: http", "target: http", "target"),
        ("base/serviceaccount.yaml", "automountServiceAccountToken", "automountToken", "automountToken"),
        ("base/kustomization.yaml", "newTag", "tag", "tag"),
        ("components/ingress/ingress.yaml", "pathType: Prefix", "pathKind: Prefix", "pathType"),
        ("components/keda/scaledobject.yaml", 'value: "5000"', "value: 5000", "ScaledObject"),
        ("components/grafana/dashboard.yaml", "data:", "dates:", "dates"),
        ("components/prometheus/podmonitor.yaml", "interval: 15s", "every: 15s", "every"),
        ("components/prometheus/prometheusrule.yaml", "for: 2m", "after: 2m", "after"),
        ("components/sqlite/worker.yaml", "volumeClaimTemplates", "volumeClaims", "volumeClaims"),
    ],
)
def test_a_slip_is_refused_by_its_name(name: str, old: str, new: str, said: str) -> None:
    text = (KUBERNETES / name).read_text()
    assert old in text
    with pytest.raises(InvalidManifestError, match=re.escape(said)):
        _check_all(text.replace(old, new))


def test_every_file_is_named_by_the_kustomization_beside_it() -> None:
    for folder in {path.parent for path in files()}:
        kustomization = _kustomization(folder)
        named = set(kustomization.get("resources", [])) | {"kustomization.yaml"}
        there = {path.name for path in folder.glob("*.yaml")}
        assert there == {one for one in named if not one.startswith("..")}, folder
        for other in [*kustomization.get("resources", []), *kustomization.get("components", [])]:
            assert (folder / other).exists(), f"{folder}: {other}"


@pytest.mark.parametrize(("file", "name"), PODS)
def test_a_pod_has_no_right_writes_nothing_of_its_image_and_asks_nothing_of_the_cluster(
    file: str, name: str
) -> None:
    spec = _pod_of(file, name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec)
    context = spec["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"]) == (True, 10001, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= ALLOWED_VOLUMES
    for container in _containers(spec):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"] == {
            "requests": {"cpu": "100m", "memory": "160Mi"},
            "limits": {"memory": "512Mi"},
        }
        assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]  # noqa: S108 - the pod's
        assert all(not port.get("hostPort") for port in container.get("ports", []))


@pytest.mark.parametrize(("file", "name"), PODS)
def test_a_secret_is_a_file_that_its_pod_mounts(file: str, name: str) -> None:
    spec = _pod_of(file, name)
    files_of = {
        f"{SECRETS}/{item['path']}"
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    asked = {one["value"] for container in _containers(spec) for one in container.get("env", [])}
    assert {value for value in asked if value.startswith(SECRETS)} == files_of
    assert all("@" not in value for value in asked)
    assert all("secretKeyRef" not in str(container) for container in _containers(spec))


@pytest.mark.parametrize(("file", "name"), PODS)
def test_every_variable_is_one_that_its_process_reads(
    file: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for literal in _kustomization(KUBERNETES / "base")["configMapGenerator"][0]["literals"]:
        monkeypatch.setenv(*literal.split("=", 1))
    for literal in _kustomization(KUBERNETES / "components/ingress")["configMapGenerator"][0]["literals"]:
        monkeypatch.setenv(*literal.split("=", 1))
    (tmp_path / "broker_url").write_text("amqps://faultwire-worker:pw@broker.example/")
    (tmp_path / "broker_administrator_url").write_text("amqps://faultwire-administrator:pw@broker.example/")
    (tmp_path / "database_url").write_text("postgresql://faultwire:pw@database.example/faultwire")
    for container in _containers(_pod_of(file, name)):
        for one in container.get("env", []):
            monkeypatch.setenv(one["name"], one["value"].replace(SECRETS, str(tmp_path)))
        config = load_config()
        assert (config.http_port, config.drain_delay, config.access) == (8787, 5.0, "login")


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, name in PODS if "migrate" not in name])
def test_what_serves_is_asked_by_three_probes_and_given_time_to_end(file: str, name: str) -> None:
    spec = _pod_of(file, name)
    (container,) = spec["containers"]
    asked = {
        kind: (
            container[f"{kind}Probe"]["httpGet"]["path"],
            container[f"{kind}Probe"]["periodSeconds"],
            container[f"{kind}Probe"]["failureThreshold"],
        )
        for kind in ("startup", "liveness", "readiness")
    }
    assert asked == {
        "startup": ("/startupz", 2, 150),
        "liveness": ("/livez", 10, 3),
        "readiness": ("/readyz", 5, 2),
    }
    assert spec["terminationGracePeriodSeconds"] == 35


def test_the_migration_is_the_release_s_own_and_bounded() -> None:
    (job,) = read_manifests((KUBERNETES / "base/migrate.yaml").read_text())
    assert job["metadata"]["name"] == f"faultwire-migrate-{__version__.replace('.', '-')}"
    spec = job["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (6, 3600)
    assert spec["ttlSecondsAfterFinished"] == 86_400
    for folder in ("base", "components/sqlite"):
        (image,) = _kustomization(KUBERNETES / folder)["images"]
        assert image["newTag"] == __version__


def test_the_pods_are_the_jobs_that_rules_and_dashboard_ask_for() -> None:
    (monitor,) = read_manifests((KUBERNETES / "components/prometheus/podmonitor.yaml").read_text())
    (names,) = (one["values"] for one in monitor["spec"]["selector"]["matchExpressions"])
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    jobs = {name: _relabelled(name, endpoint["relabelings"]) for name in names}
    assert jobs == {"faultwire-worker": "faultwire", "faultwire-gateway": "faultwire-gateway"}
    assert all(rule["expr"].count('job="') == rule["expr"].count('job="faultwire"') for rule in alerts())


def test_no_object_of_an_operator_s_stands_in_the_base() -> None:
    for path in files():
        if path.parent.name == "base" and path.name != "kustomization.yaml":
            for one in read_manifests(path.read_text()):
                assert "." not in one["apiVersion"].partition("/")[0].removesuffix(".k8s.io"), path


@pytest.fixture(params=["overlays/cluster", "overlays/single"])
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    return build(request.param)


class TestBuilt:
    """What kustomize builds of an overlay."""

    pytestmark = BUILT

    def test_is_strictly_of_the_schemas_and_in_one_namespace(self, overlay: list[Manifest]) -> None:
        for one in overlay:
            check(one, OLDEST)
            check(one, NEWEST)
            assert one["metadata"]["namespace"] == "faultwire"
        names = [(one["kind"], one["metadata"]["name"]) for one in overlay]
        assert len(set(names)) == len(names)

    def test_runs_one_tagged_image_under_an_account_that_stands(self, overlay: list[Manifest]) -> None:
        accounts = {one["metadata"]["name"] for one in overlay if one["kind"] == "ServiceAccount"}
        for spec in _pods(overlay):
            assert spec["spec"]["serviceAccountName"] in accounts
            assert {one["image"] for one in _containers(spec["spec"])} == {f"faultwire:{__version__}"}

    def test_reads_settings_that_stand_by_a_name_with_their_hash(self, overlay: list[Manifest]) -> None:
        maps = {one["metadata"]["name"] for one in overlay if one["kind"] == "ConfigMap"} - {DASHBOARD}
        assert all(re.fullmatch(r"faultwire-settings-[a-z0-9]{10}", name) for name in maps)
        named = re.findall(r"'configMapRef': \{'name': '([^']+)'\}", str(overlay))
        assert named
        assert set(named) == maps

    def test_has_pods_that_every_policy_and_service_means(self, overlay: list[Manifest]) -> None:
        pods = [spec["metadata"]["labels"] for spec in _pods(overlay)]
        ports = {port["name"] for spec in _pods(overlay) for port in _ports(spec["spec"])}
        selected = _selected_by(overlay)
        assert selected
        for who, selector in selected:
            assert any(selector.items() <= labels.items() for labels in pods), who
        bound = [selector for who, selector in selected if who == "NetworkPolicy faultwire"]
        assert all(any(selector.items() <= labels.items() for selector in bound) for labels in pods)
        services = [one for one in overlay if one["kind"] == "Service"]
        assert {port["targetPort"] for one in services for port in one["spec"]["ports"]} <= ports

    def test_leads_an_ingress_to_services_that_stand(self, overlay: list[Manifest]) -> None:
        services = {one["metadata"]["name"] for one in overlay if one["kind"] == "Service"}
        for one in (one for one in overlay if one["kind"] == "Ingress"):
            for rule in one["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    assert path["backend"]["service"]["name"] in services


class TestOverlays:
    """What each overlay is for."""

    pytestmark = BUILT

    def test_the_cluster_s_has_workers_that_keda_counts(self) -> None:
        overlay = build("overlays/cluster")
        (worker,) = [one for one in overlay if one["kind"] == "Deployment"]
        assert "replicas" not in worker["spec"], "a number would take KEDA's decision back at each apply"
        (scaled,) = [one for one in overlay if one["kind"] == "ScaledObject"]
        spec = scaled["spec"]
        assert spec["scaleTargetRef"]["name"] == worker["metadata"]["name"]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["cooldownPeriod"]) == (2, 6, 300)
        assert {one["metadata"]["queueName"]: one["metadata"]["value"] for one in spec["triggers"]} == {
            "faultwire.critical": "5000",
            "faultwire.high": "5000",
            "faultwire.routine": "5000",
        }
        maps = {one["metadata"]["name"]: one["data"] for one in overlay if one["kind"] == "ConfigMap"}
        del maps[DASHBOARD]
        (settings,) = maps.values()
        assert settings["FAULTWIRE_PUBLIC_URL"].startswith("https://")
        assert settings["FAULTWIRE_ACCESS"] == "login"

    def test_the_single_worker_s_has_one_process_on_one_file(self) -> None:
        overlay = build("overlays/single")
        (worker,) = [one for one in overlay if one["kind"] in WORKLOADS]
        assert (worker["kind"], worker["spec"]["replicas"]) == ("StatefulSet", 1)
        assert not [one for one in overlay if one["kind"] == "PodDisruptionBudget"]
        assert "faultwire-owner" not in str(overlay)
        assert "secret" not in str(worker).lower()

    def test_an_image_is_set_by_digest_in_an_overlay_of_one_s_own(self, tmp_path: Path) -> None:
        shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
        own, digest = tmp_path / "kubernetes/own", f"sha256:{'a' * 64}"
        own.mkdir()
        (own / "kustomization.yaml").write_text(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
            "resources: [../overlays/cluster]\n"
            f"images: [{{name: faultwire, newName: registry.example/faultwire, digest: '{digest}'}}]\n"
        )
        images = {one["image"] for spec in _pods(build(str(own))) for one in _containers(spec["spec"])}
        assert images == {f"registry.example/faultwire@{digest}"}


def _relabelled(name: str, steps: list[dict[str, Any]]) -> str:
    """The job of a pod of that name, by these steps of Prometheus'."""
    labels = {"__meta_kubernetes_pod_label_app_kubernetes_io_name": name}
    for step in steps:
        value = ";".join(labels.get(one, "") for one in step["sourceLabels"])
        if re.fullmatch(step.get("regex", ".*"), value):
            labels[step["targetLabel"]] = step.get("replacement", value)
    return labels["job"]


def _check_all(text: str) -> None:
    for one in read_manifests(text):
        check(one, NEWEST)


def _kustomization(folder: Path) -> dict[str, Any]:
    (document,) = read_manifests((folder / "kustomization.yaml").read_text())
    return document


def _pod_of(file: str, name: str) -> dict[str, Any]:
    objects = read_manifests((KUBERNETES / file).read_text())
    (spec,) = (one["spec"]["template"]["spec"] for one in objects if one["metadata"]["name"] == name)
    return dict(spec)


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def _ports(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [port for container in spec["containers"] for port in container.get("ports", [])]


def _pods(objects: list[Manifest]) -> Iterator[dict[str, Any]]:
    yield from (one["spec"]["template"] for one in objects if one["kind"] in WORKLOADS)


def _selected_by(objects: list[Manifest]) -> list[tuple[str, dict[str, str]]]:
    """Who means which pods."""
    found = []
    for one in objects:
        spec, who = one.get("spec", {}), f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "Service":
            found.append((who, spec["selector"]))
        elif one["kind"] == "NetworkPolicy":
            found.append((who, spec["podSelector"]["matchLabels"]))
        elif one["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            found.append((who, spec["selector"]["matchLabels"]))
    return found

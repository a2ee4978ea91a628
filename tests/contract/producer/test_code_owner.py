"""Frames are told to be the service's own or a library's, in every way in which either is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.producer.installing import LOCAL, RUNS, Package, is_own, load, new_name, pack, write

from faultwire import SyncErrorManager
from faultwire.capture import code_owner
from faultwire.capture.code_owner import CodeOwner
from faultwire.testing import capture_events

pytestmark = pytest.mark.may_block("imports modules from folders that it makes")

DATACLASS = """
from dataclasses import dataclass, field
def fail(): raise LookupError("nothing")
@dataclass
class Order:
    lines: list = field(default_factory=fail)
def run(): Order()
"""
CYTHON = "exec(compile('def run(): raise LookupError(1)', '{name}.pyx', 'exec'), globals())\n"
MAKES = """
from faultwire import SyncErrorManager
def make(): return SyncErrorManager(service="desk", broker_url="http://127.0.0.1:1", spool_path="")
def run(): raise LookupError("nothing")
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    place = tmp_path / "venv/lib/python3.11/site-packages"
    place.mkdir(parents=True)
    return place


def test_what_pip_has_installed_is_a_library_and_what_needs_faultwire_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, library = Package(new_name("desk"), needs=["faultwire>=0.1"]), Package(new_name("pump"))
    wheels = [tmp_path / f"{one.module}-1.0-py3-none-any.whl" for one in (service, library)]
    for one, wheel in zip((service, library), wheels, strict=True):
        files = {name: text for name, text in one.files().items() if not name.endswith("INSTALLER")}
        folder = f"{one.module}-1.0.dist-info"
        pack(
            wheel,
            files | {f"{folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
        )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    place = tmp_path / "target"
    subprocess.run([*pip, "--target", str(place), *map(str, wheels)], check=True)
    assert is_own(load(service.module, place, monkeypatch))
    assert not is_own(load(library.module, place, monkeypatch))


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages", "var/task", "__pypackages__/3.11/lib"])
def test_wherever_they_lie_a_library_is_told_from_the_service(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / folder
    built = Package(new_name("desk"), url=LOCAL).install(place)
    plain = new_name("handler")
    write(place, {f"{plain}.py": RUNS})
    library = Package(new_name("pump"), needs=["faultwire; extra == 'errors'"]).install(place)
    assert is_own(load(built.module, place, monkeypatch))
    assert is_own(load(plain, place, monkeypatch))
    assert not is_own(load(library.module, place, monkeypatch))


def test_what_needs_faultwire_through_another_is_the_services_own(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Package(new_name("platform"), name=new_name("Acme_Platform"), needs=["Faultwire"])
    service = Package(new_name("desk"), needs=["missing", platform.name.replace("_", "-").lower()])
    for one in (platform.install(packages), service.install(packages)):
        assert is_own(load(one.module, packages, monkeypatch))


def test_what_has_made_the_manager_is_the_services_own(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = load(Package(new_name("desk"), MAKES).install(packages).module, packages, monkeypatch)
    library = load(Package(new_name("pump")).install(packages).module, packages, monkeypatch)
    errors: SyncErrorManager = service.make()
    with capture_events(errors) as captured:
        for module in (service, library):
            with errors.guard(reraise=False):
                module.run()
    assert [event.exceptions[0].frames[-1].in_app for event in captured.events] == [True, False]
    assert not is_own(service), "another manager's code says nothing of it"


def test_what_conda_built_from_a_folder_is_a_library(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Package(new_name("pump"), url=LOCAL, installer="conda").install(packages)
    assert not is_own(load(library.module, packages, monkeypatch))


def test_a_library_may_be_called_otherwise_than_what_it_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Package(new_name("pump"), name="PyPump").install(tmp_path)
    assert not is_own(load(library.module, tmp_path, monkeypatch))


def test_parts_of_one_namespace_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = new_name("acme")
    service = Package(f"{space}.desk", name="acme_desk", url=LOCAL).install(tmp_path)
    library = Package(f"{space}.pump", name="acme_pump").install(tmp_path)
    assert is_own(load(service.module, tmp_path, monkeypatch))
    assert not is_own(load(library.module, tmp_path, monkeypatch))


def test_among_packages_whose_metadata_was_taken_away_only_the_managers_maker_is_own(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, other = new_name("desk"), new_name("pump")
    write(packages, {f"{name}.py": RUNS for name in (maker, other)})
    owner = CodeOwner((str(packages / f"{maker}.py"), maker))
    modules = [load(name, packages, monkeypatch) for name in (maker, other)]
    assert is_own(modules[1]), "copied there by hand, as faultwire's own metadata is there"
    monkeypatch.setattr(sys, "path", [str(packages)])
    assert [is_own(module, owner) for module in modules] == [True, False]


@pytest.mark.parametrize("inside", ["", "site-packages/"])
def test_an_archive_holds_both_kinds(inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Package(new_name("desk"), url=LOCAL)
    library = Package(new_name("pump"))
    archive = tmp_path / "desk.pyz"
    files = {**service.files(), **library.files()}
    pack(archive, {f"{inside}{name}": text for name, text in files.items()})
    place = archive / inside if inside else archive
    assert is_own(load(service.module, place, monkeypatch))
    assert not is_own(load(library.module, place, monkeypatch))


def test_what_is_generated_or_compiled_belongs_to_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in (DATACLASS, CYTHON):
        own, foreign = new_name("orders"), new_name("pump")
        write(tmp_path / "source", {f"{own}.py": code.replace("{name}", own)})
        target = tmp_path / foreign
        Package(foreign, code.replace("{name}", foreign)).install(target)
        assert is_own(load(own, tmp_path / "source", monkeypatch))
        assert not is_own(load(foreign, target, monkeypatch))
    owner = CodeOwner()
    assert not owner.is_own("<attrs generated init _pytest.config.Config>", "")
    assert not owner.is_own("<frozen importlib._bootstrap>", "importlib._bootstrap")
    assert owner.is_own("<string>", "a_rule_of_the_services")


def test_a_frozen_program_has_its_main_module_and_what_knows_faultwire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, raising, library = new_name("desk"), new_name("orders"), new_name("pump")
    raises = f"from faultwire import BusinessError\n{RUNS}"
    write(tmp_path, {f"{service}.py": MAKES, f"{raising}.py": raises, f"{library}.py": RUNS, "json.py": RUNS})
    modules = [load(name, tmp_path, monkeypatch) for name in (service, raising, library)]
    assert all(map(is_own, modules))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(code_owner, "_LIBRARY", f"{tmp_path}/")  # Python lies there too
    assert [is_own(module) for module in modules] == [True, True, False]
    assert not CodeOwner().is_own(str(tmp_path / "json.py"), "json")
    assert CodeOwner().is_own(str(tmp_path / "start.py"), "__main__")


def test_an_old_egg_is_a_library(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = new_name("pump")
    egg = packages / f"{name}-1.0-py3.11.egg"
    write(egg, {f"{name}.py": RUNS, "EGG-INFO/PKG-INFO": f"Name: {name}\n", "EGG-INFO/requires.txt": "six\n"})
    assert not is_own(load(name, egg, monkeypatch))


def test_what_debian_installs_says_what_it_needs_in_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, service, library = tmp_path / "dist-packages", new_name("desk"), new_name("pump")
    for name, needs in ((service, "faultwire>=0.1\n"), (library, "six\n\n[errors]\nfaultwire\n")):
        folder = f"{name}-1.0.egg-info"
        write(place, {f"{name}.py": RUNS, f"{folder}/requires.txt": needs})
    assert is_own(load(service, place, monkeypatch))
    assert not is_own(load(library, place, monkeypatch))


def test_a_source_tree_is_own_though_its_metadata_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("desk")
    write(tmp_path, {f"{name}.py": RUNS, f"{name}.egg-info/PKG-INFO": f"Name: {name}\n"})
    assert is_own(load(name, tmp_path, monkeypatch))


def test_metadata_that_cannot_be_read_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = new_name("pump")
    write(tmp_path, {f"{name}.py": RUNS})
    (tmp_path / "odd-1.0.dist-info/RECORD").mkdir(parents=True)
    (tmp_path / "odd-1.0.dist-info/top_level.txt").write_bytes(b"\xff\xfe" + name.encode())
    assert is_own(load(name, tmp_path, monkeypatch))
    (tmp_path / "broken.pyz").write_bytes(b"PK\x03\x04")
    assert CodeOwner().is_own(str(tmp_path / "broken.pyz/x.py"), "x")

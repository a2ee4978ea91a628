"""Changes of files, however they are made: each is told once, and not while it is being made."""

from pathlib import Path

import pytest

from faultwire_consumer.worker.file_watch import FileWatch

pytestmark = pytest.mark.may_block("it looks at files")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text("one")
    return path


def watch_of(*paths: Path) -> FileWatch:
    watch = FileWatch()
    watch.settle(paths)
    return watch


def test_a_file_that_nobody_changes_is_never_told(rules: Path) -> None:
    watch = watch_of(rules)
    assert [watch.look() for _ in range(3)] == [False] * 3


def test_a_file_that_is_written_is_told_when_it_stands_still(rules: Path) -> None:
    watch = watch_of(rules)
    told = []
    with rules.open("w") as file:
        for _ in range(3):
            file.write("a line more\n")
            file.flush()
            told.append(watch.look())
    assert told == [False] * 3
    assert watch.look()


def test_a_file_that_is_replaced_at_once_is_told_though_it_looks_the_same(rules: Path) -> None:
    watch = watch_of(rules)
    other = rules.with_name("other")
    other.write_text("two")
    other.replace(rules)
    assert [watch.look(), watch.look()] == [False, True]


def test_a_link_that_leads_elsewhere_is_told_as_kubernetes_swaps_them(tmp_path: Path) -> None:
    for name in ("..2026_1", "..2026_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.toml").write_text("same")
    data, rules = tmp_path / "..data", tmp_path / "rules.toml"
    data.symlink_to("..2026_1")
    rules.symlink_to("..data/rules.toml")
    watch = watch_of(rules)
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").replace(data)
    assert [watch.look(), watch.look()] == [False, True]


def test_a_file_that_is_gone_for_a_moment_is_not_told_as_gone(rules: Path) -> None:
    watch = watch_of(rules)
    rules.unlink()
    assert not watch.look()
    rules.write_text("two")
    assert [watch.look(), watch.look()] == [False, True]


def test_a_file_that_is_gone_is_told_and_told_again_when_it_is_back(rules: Path) -> None:
    watch = watch_of(rules)
    rules.unlink()
    assert [watch.look(), watch.look()] == [False, True]
    watch.settle([rules])
    assert not watch.look()
    rules.write_text("one")
    assert [watch.look(), watch.look()] == [False, True]


def test_what_changes_while_it_is_read_is_told_after_that(rules: Path) -> None:
    watch = watch_of(rules)
    rules.write_text("two")
    watch.settle([rules])
    rules.write_text("three")  # the reading may have met either
    assert [watch.look(), watch.look()] == [False, True]


def test_a_file_that_is_kept_no_longer_is_nobody_s_change(rules: Path) -> None:
    secret = rules.with_name("secret")
    secret.write_text("x")
    watch = watch_of(rules, secret)
    watch.keep([rules])
    secret.unlink()
    assert [watch.look(), watch.look()] == [False, False]
    assert watch.files == {rules}

"""What the files of a config folder hold, when that counts as changed, and the copy of the last good ones."""

import os

import pytest

from gateway.config import Folder, LastGood, digest


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    for name in ("flows/a.yaml", "devices/b.yaml", "scenarios/c.yaml", "gateway.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder


def test_contents_are_the_same_when_a_file_is_only_touched(config):
    """Only what a file holds counts, whatever its times say."""
    folder = Folder(config)
    before = folder.contents()
    os.utime(config / "flows" / "a.yaml", ns=(1, 1))
    assert folder.contents() == before
    assert digest(folder.contents(afresh=True)) == digest(before)


def test_contents_differ_when_a_file_with_the_same_size_and_times_takes_its_place(config):
    """Editors save by renaming; a file may be moved there with the time it had."""
    folder, path = Folder(config), config / "flows" / "a.yaml"
    before, times = folder.contents(), path.stat()
    other = config / "new"
    other.write_text("flows/z.yaml\n")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(path)
    assert folder.contents() != before


def test_contents_leave_out_what_editors_put_beside(config):
    """Swap files, backups and hidden folders are nobody's config; a file that a flow's tests read is."""
    folder = Folder(config)
    before = folder.contents()
    for name in ("flows/.a.yaml.swp", "flows/a.yaml~", "devices/.git/b.yaml"):
        (config / name).parent.mkdir(exist_ok=True)
        (config / name).write_text("x")
    assert folder.contents() == before
    (config / "flows" / "cases").mkdir()
    (config / "flows" / "cases" / "cold.csv").write_text("time,value\n")
    assert folder.contents().keys() - before.keys() == {"flows/cases/cold.csv"}


def test_last_good_takes_flows_and_profiles_and_lets_the_rest_wait(config, tmp_path):
    """Settings and scenarios stay as they were at the start, and are named; a file keeps its permissions."""
    good, folder = LastGood(tmp_path / "data"), Folder(config)
    (config / "gateway.yaml").chmod(0o600)
    good.start(config)
    for name in ("flows/a.yaml", "gateway.yaml"):
        (config / name).write_text("other\n")
    (config / "devices" / "b.yaml").unlink()
    (config / "scenarios" / "d.yaml").write_text("new\n")
    contents = folder.contents()
    assert good.take(config, contents)
    held = {path.relative_to(good.path).as_posix(): path.read_text() for path in good.path.rglob("*") if path.is_file()}
    assert held == {"flows/a.yaml": "other\n", "gateway.yaml": "gateway.yaml\n", "scenarios/c.yaml": "scenarios/c.yaml\n"}
    assert good.waiting(contents) == ["gateway.yaml", "scenarios/d.yaml"]
    assert (good.path / "gateway.yaml").stat().st_mode & 0o777 == 0o600


def test_last_good_takes_nothing_that_has_changed_since_it_was_read(config, tmp_path):
    """What was checked is what is kept: never half of one config and half of the next."""
    good, folder = LastGood(tmp_path / "data"), Folder(config)
    good.start(config)
    contents = folder.contents()
    (config / "flows" / "a.yaml").write_text("later\n")
    assert not good.take(config, contents)
    assert (good.path / "flows" / "a.yaml").read_text() == "flows/a.yaml\n"

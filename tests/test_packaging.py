"""What is installed: the wheel, the locks, and the files that put Sluice on a machine."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("devices", "gateway", "flows", "simulator")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<rest>.*\\\n(?:    --hash=.*\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel as pip does, without the network, and unpack it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", build], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as archive:
        archive.extractall(unpacked)
    return unpacked


def lock(name):
    return {canonicalize_name(found["name"]): found for found in PINNED.finditer((ROOT / name).read_text("utf-8"))}


def test_wheel_contains_the_packages_and_their_data(wheel):
    """Every file of the four packages is in the wheel, the samples beside the conventions among them."""
    here = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    there = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    assert here - there == set()
    assert [name for name in there if name.endswith(".samples.yaml")]
    assert {name.split("/")[0] for name in there} - {*PACKAGES} == {next(name for name in there if ".dist-info" in name).split("/")[0]}


def test_wheel_contains_the_config_to_start_from(wheel):
    """`sluice init` and the demo work where there is no checkout: what is in config/ is in the wheel, and it is found there."""
    here = {str(path.relative_to(ROOT / "config")) for path in (ROOT / "config").rglob("*") if path.is_file()}
    starter = wheel / "gateway" / "starter"
    assert here == {str(path.relative_to(starter)) for path in starter.rglob("*") if path.is_file()}
    find = "from gateway.starter import starter; print(starter())"
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run([sys.executable, "-c", find], cwd=wheel.parent, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == starter


def test_wheel_has_the_command_and_the_licence(wheel):
    """One command, `sluice`; and the licence goes where the code goes."""
    info = next(wheel.glob("*.dist-info"))
    assert "sluice = gateway.cli:main" in (info / "entry_points.txt").read_text()
    assert (info / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize(("name", "groups"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_lock_holds_what_the_project_asks_for(project, name, groups):
    """Every dependency is locked, to a version that pyproject.toml allows; `make lock` remakes the locks after a change there."""
    locked = lock(name)
    wanted = [*project["project"]["dependencies"], *(text for group in groups for text in project["dependency-groups"][group])]
    wrong = [
        text
        for text in wanted
        if (found := locked.get(canonicalize_name(Requirement(text).name))) is None or found["version"] not in Requirement(text).specifier
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_pins_by_hash_and_names_no_server(name):
    """Whoever serves the packages, they are these; and the lock works from any index."""
    text = (ROOT / name).read_text("utf-8")
    assert "make lock" in text.splitlines()[1]
    assert len(lock(name)) == len(re.findall(r"^\S+==", text, re.MULTILINE)) > 20
    assert [line for line in text.splitlines() if "://" in line or "--index" in line or "--find-links" in line] == []


def test_locks_agree():
    """What is tested is what is installed."""
    runtime, dev = lock("requirements.lock"), lock("requirements-dev.lock")
    assert {name: found["version"] for name, found in runtime.items()} == {name: dev[name]["version"] for name in runtime}


@pytest.mark.parametrize("script", [".ci/run", ".ci/tools"])
def test_script_can_be_run(script):
    """A script is executable and is bash."""
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(ROOT / script)], check=False).returncode == 0


def test_makefile_makes_secrets_once(tmp_path):
    """Each password is new and random, in a folder that is its owner's alone; what is there already is kept."""
    make = ["make", "--silent", "-C", str(tmp_path), "-f", str(ROOT / "Makefile"), "secrets"]
    subprocess.run(make, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert made.pop("mqtt_devices") == ""
    assert all(re.fullmatch(r"[0-9a-f]{48}", text) for text in made.values())
    assert len(set(made.values())) == len(made) == 4
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run(make, check=True, capture_output=True)
    assert {name: (tmp_path / "secrets" / name).read_text() for name in made} == made


def test_systemd_takes_the_unit(tmp_path):
    """The unit has no line that systemd does not know."""
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    text = (ROOT / "config" / "systemd" / "sluice.service").read_text("utf-8")
    unit = tmp_path / "sluice.service"
    unit.write_text(text.replace("/opt/sluice/.venv/bin/sluice", sys.executable))
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sluice.service" in line] == []

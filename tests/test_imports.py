"""Who may import whom: the two tables of docs/architecture.md, held against the code."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("devices", "gateway", "flows", "simulator")

OURS = {
    "devices": (),
    "gateway": ("devices",),
    "gateway.cli": ("devices", "flows", "simulator"),  # the one package that starts the others
    "flows": (
        "devices",
        *(
            "gateway.config",
            "gateway.damage",
            "gateway.disk",
            "gateway.exit_status",
            "gateway.findings",
            "gateway.garbage",
            "gateway.lean",
            "gateway.heartbeat",
        ),
        *(
            "gateway.journal",
            "gateway.logs",
            "gateway.member",
            "gateway.profile_check",
            "gateway.setting_types",
            "gateway.settings",
            "gateway.state_file",
            "gateway.store",
            "gateway.with_parent",
        ),
    ),
    "simulator": ("devices", "gateway.findings", "gateway.journal", "gateway.lean", "gateway.logs"),
}
"""What a package, or a module with a line of its own, may import of ours beside itself."""

MQTT = ("gateway.broker", "gateway.commands", "gateway.delivery", "gateway.link", "simulator")
LIBRARIES = {
    "bytewax": ("flows",),
    "influxdb_client": ("gateway.delivery",),
    "aiomqtt": MQTT,
    "amqtt": MQTT,
    "mqtt5": MQTT,
    "paho": MQTT,
}
"""Where a library may be imported. One that is not named here may be imported anywhere but in devices/."""

CODECS = {"cbor2", "google", "msgspec", "pydantic", "ruamel"}
"""What may be imported in devices/ beyond the standard library: google is protobuf, and ruamel reads the samples."""
IMPURE = {
    "asyncio", "http", "io", "multiprocessing", "os", "random", "secrets", "shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time",
}  # fmt: skip

CLOCKED = ("flows.cluster.peers", "flows.cluster.source", "flows.journal_source", "flows.watch", "flows.worker", "flows.workers")
"""They tell Bytewax, which asks for a time, when to call again, and other hosts how they are; look at the config now and then; wait for each other,
and for room on the disk. None decides anything."""

PART_OF = {"pydantic-core": "pydantic"}
"""Distributions that one of ours pins to an exact version of itself: one thing under two names."""

DRAWERS = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


class Import(NamedTuple):
    """One import: the file and line where it stands, the module that does it, and the module that it names."""

    place: str
    by: str
    of: str
    relative: bool

    def __str__(self):
        return f"{self.place}: {self.by} imports {self.of}"


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def trees(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def imports(*folders):
    """Every import statement, wherever it stands in the file: a hidden one counts like any other."""
    for path, tree in trees(*folders):
        for node in ast.walk(tree):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from (Import(place, module_name(path), alias.name, relative=False) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                # `from gateway import settings` names the module gateway.settings.
                is_package = (ROOT / (node.module or "").replace(".", "/")).is_dir()
                names = [f"{node.module}.{alias.name}" for alias in node.names] if is_package else [node.module or "."]
                yield from (Import(place, module_name(path), name, relative=node.level > 0) for name in names)


def inside(module, *prefixes):
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def line_for(module, table):
    """Find the line of a table for a module: the longest name that holds it."""
    return max((name for name in table if inside(module, name)), key=len)


@pytest.fixture(scope="module")
def declared():
    """The distributions that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lists = {"runtime": project["project"]["dependencies"], "dev": project["dependency-groups"]["dev"]}
    return {kind: {canonical(re.match(r"[\w.-]+", text)[0]) for text in texts} for kind, texts in lists.items()}


@pytest.fixture(scope="module")
def distributions():
    """Give a function that says which distributions bring a module."""
    installed = packages_distributions()

    def bring(module):
        names = {canonical(name) for name in installed.get(module.split(".")[0], ())}
        return {PART_OF.get(name, name) for name in names}

    return bring


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_packages_import_only_what_lies_upstream():
    """Imports between our packages point towards the device."""
    wrong = [
        str(one)
        for one in imports(*PACKAGES)
        if inside(one.of, *PACKAGES) and not inside(one.of, one.by.split(".")[0]) and not inside(one.of, *OURS[line_for(one.by, OURS)])
    ]
    assert wrong == []


def test_libraries_stay_where_they_belong():
    """Each engine, client and broker is known to one place, so that it can be replaced there."""
    wrong = [
        str(one) for one in imports(*PACKAGES) if one.of.split(".")[0] in LIBRARIES and not inside(one.by, *LIBRARIES[one.of.split(".")[0]])
    ]
    assert wrong == []


def test_devices_are_pure():
    """devices/ has no network, no clock and no files: it imports codecs and what computes."""
    wrong = [
        str(one)
        for one in imports("devices")
        if (top := one.of.split(".")[0]) in IMPURE
        or one.of == "urllib.request"
        or not (top in sys.stdlib_module_names or top in CODECS or top == "devices")
    ]
    assert wrong == []


def test_devices_and_flows_read_no_clock():
    """Time comes from the journal: the same journal gives the same result whenever it is read."""
    wrong = [str(one) for one in imports("devices", "flows") if one.of in ("random", "time") and one.by not in CLOCKED]
    wrong += [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value.id}.{node.attr}"
        for path, tree in trees("devices", "flows")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and module_name(path) not in CLOCKED
        if node.value.id in ("date", "datetime", "time") and node.attr in ("now", "today", "utcnow", "time", "time_ns", "monotonic")
    ]
    assert wrong == []


def test_flows_use_no_hash():
    """`hash()` of a text differs between processes, and with it whatever is decided by it."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees("flows")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("process", "foreign"),
    [
        ("flows.run", {"aiomqtt", "amqtt", "influxdb_client", "paho"}),
        ("flows.worker", {"aiomqtt", "amqtt", "influxdb_client", "paho"}),
        ("gateway.run", {"amqtt", "bytewax", "cel"}),
        ("simulator.run", {"amqtt", "bytewax", "cel", "influxdb_client"}),
    ],
)
def test_processes_hold_no_library_that_they_do_not_use(process, foreign):
    """What is imported at the start stays in memory for as long as the process runs, and is paid for at each start."""
    words = [sys.executable, "-c", f"import sys, {process}; print(*sys.modules)"]
    held = {name.split(".")[0] for name in subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()}
    assert not held & (foreign | {"pint", "prompt_toolkit", "pygments", "pytest", "rich", "river", "typer"})


def test_no_import_is_relative():
    """Every import says the whole name of what it imports."""
    assert [str(one) for one in imports(*PACKAGES, "tests", "benchmarks", "faults") if one.relative] == []


def test_no_file_is_a_drawer():
    """A file is named by what it holds, never by holding whatever is left over."""
    found = [path for folder in (*PACKAGES, "tests", "benchmarks", "faults") for path in (ROOT / folder).rglob("*.py")]
    assert [str(path.relative_to(ROOT)) for path in found if DRAWERS & {*path.stem.split("_"), path.parent.name}] == []


def test_every_package_has_an_init_and_no_test_folder_has():
    """An `__init__.py` makes a package; below tests/ it would hide the package that is tested."""
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_every_library_is_declared(declared, distributions):
    """What the code imports is in pyproject.toml, not there by luck of another package's needs."""
    allowed = {"code": declared["runtime"], "tests": declared["runtime"] | declared["dev"]}
    wrong = [
        str(one)
        for kind, folders in (("code", PACKAGES), ("tests", ("tests", "benchmarks", "faults")))
        for one in imports(*folders)
        if (top := one.of.split(".")[0]) not in sys.stdlib_module_names
        and top not in (*PACKAGES, "benchmarks", "faults", "house", "__main__")
        and not distributions(top) & allowed[kind]
    ]
    assert wrong == []


def test_every_declared_library_is_used(declared, distributions):
    """What is installed on a small machine is there for a reason."""
    used = {name for one in imports(*PACKAGES) for name in distributions(one.of)}
    assert declared["runtime"] - used == {"tzdata"}  # the zones of `zoneinfo`, where a system has none

"""The schemas of released versions, kept beside the models: `python -m gateway.events.release` writes those of the version to be released."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from gateway.events.catalogue import KINDS
from gateway.events.compatibility import breaking
from gateway.events.schemas import Schema, event_schema
from gateway.events.upcast import STEPS

FOLDER = Path(__file__).parent / "released"


def newest(folder: Path = FOLDER) -> dict[str, Schema]:
    """Give the schemas of the last release by type; empty where nothing was released."""
    versions = sorted((path for path in folder.iterdir() if path.is_dir()), key=_number) if folder.is_dir() else []
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(versions[-1].glob("*.json"))} if versions else {}


def flaws(released: dict[str, Schema]) -> list[str]:
    """Give what readers of the released events could not read now: breaking changes, and types that are gone without a step to a newer one."""
    found: list[str] = []
    current = {kind.type: event_schema(kind) for kind in KINDS}
    for name, schema in released.items():
        if name in current:
            found += [f"{name}: {change}" for change in breaking(schema, current[name])]
        elif (name, schema["properties"]["dataschema"]["enum"][0]) not in STEPS:
            found.append(f"{name}: is gone, and upcast.py has no step from it")
    return found


def write(folder: Path) -> list[Path]:
    """Write the schema of each type into a folder of its version."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in KINDS:
        path = folder / f"{kind.type}.json"
        path.write_text(json.dumps(event_schema(kind), indent=2, ensure_ascii=False) + "\n", "utf-8")
        written.append(path)
    return written


def _number(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.name.split("."))


def main() -> int:
    """Write the schemas of this version, unless they break the last release's."""
    if found := flaws(newest()):
        sys.stderr.write("a breaking change needs a new version in the type, and a step in upcast.py:\n" + "\n".join(found) + "\n")
        return 1
    for path in write(FOLDER / version("sluice-gateway")):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`docs/reliability.md`: the tables in it are made of what the runs came to (`python -m faults.pages`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faults.account import Account
from faults.fault import faults
from faults.rig.rig import Result
from faults.table import markdown

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- made by `make faults`: begin -->", "<!-- end -->"


def results(path: Path = RESULTS) -> list[Result]:
    """Read the results that are kept, by number."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    read = []
    for one in kept.values():
        found = one.pop("account")
        read.append(Result(**one, account=None if found is None else Account(**found)))
    return read


def page(text: str, found: list[Result]) -> str:
    """Put the tables into the page, between its marks."""
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n\n{_made(found)}\n\n{END}{tail}"


def _made(found: list[Result]) -> str:
    known = faults()
    lines = [markdown(found), "", "| fault | run as | what was seen |", "|---|---|---|"]
    for one in found:
        scaled = known[one.number].scaled if one.number in known else ""
        said = [*one.notes, *(f"**missed**: {bar}" for bar in one.missed), *([f"not run: {one.skipped}"] if one.skipped else [])]
        when = f", commit {one.commit}" if one.commit else ""
        lines.append(
            f"| {one.number} | {scaled or 'as written'}; {one.seconds:.0f} s in all{when} | {'<br>'.join(said).replace('|', '/')} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text("utf-8"), results()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

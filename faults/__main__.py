"""`python -m faults`: break things, one fault after the other, and print what became of every message."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from faults.fault import Fault, SkipError, faults
from faults.rig.rig import Result, Rig
from faults.table import lines, row


def run(fault: Fault, *, full: bool, seed: int, keep: bool = False) -> Result:
    """Run one fault in a folder of its own, which is removed where all went well."""
    folder = Path(tempfile.mkdtemp(prefix=f"sluice-{fault.number}-"))
    rig = Rig(folder, fault.number, fault.about, full=full, seed=seed)
    try:
        with rig:
            fault.run(rig)
    except SkipError as why:
        rig.result.skipped = str(why)
    except Exception as error:  # noqa: BLE001  one fault's failure must not end the others
        rig.result.missed.append(f"{type(error).__name__}: {error}")
        traceback.print_exc(file=sys.stderr)
    if not keep and not rig.result.missed:
        shutil.rmtree(folder, ignore_errors=True)
    elif rig.result.missed or keep:
        sys.stderr.write(f"{fault.number}: its files are in {folder}\n")
    rig.result.commit = _commit()
    return rig.result


def _commit() -> str:
    """Give the commit that runs, "" outside of Git."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False) if shutil.which("git") else None
    return done.stdout.strip() if done else ""


def main() -> int:
    """Give the exit code: 0 where every bar was held."""
    options = _parser().parse_args()
    known = faults()
    unknown = [number for number in options.faults if number not in known]
    if unknown:
        sys.stderr.write(f"no such fault: {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    chosen = [known[number] for number in options.faults] or [one for one in known.values() if one.number.startswith("F")]
    results = []
    sys.stdout.write("\n".join(lines([])) + "\n")
    for fault in chosen:
        result = run(fault, full=not options.short, seed=options.seed, keep=options.keep)
        results.append(result)
        sys.stdout.write(row(result) + "\n")
        for said in [*result.notes, *(f"MISSED: {bar}" for bar in result.missed)]:
            sys.stdout.write(f"       {said}\n")
        sys.stdout.flush()
        if options.results:
            _keep(options.results, result)
    return 1 if any(result.missed for result in results) else 0


def _keep(path: Path, result: Result) -> None:
    """Put a result among those that are kept, in the place of what the fault came to before."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept[result.number] = result.document()
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="F06", help="which faults (default: F01 to F33)")
    parser.add_argument("--short", action="store_true", help="the short form of each, as the tests have it")
    parser.add_argument("--seed", type=int, default=1, help="moments and damage are drawn with it")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    parser.add_argument("--results", type=Path, metavar="FILE", help="keep the results here, for docs/reliability.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())

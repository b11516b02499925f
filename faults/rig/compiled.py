"""Libraries that are loaded before a process's own (LD_PRELOAD, ld.so(8)), compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from faults.fault import SkipError


def compiled(source: Path, folder: Path) -> Path:
    """Compile a C file into a library in the folder, and give that. Raises SkipError where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SkipError("no C compiler is installed (apt install gcc libc6-dev)")
    library = folder / f"{source.stem}.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return library

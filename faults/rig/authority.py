"""A certificate authority of the rig's own, and certificates that it signs."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Two authorities in a folder, `ca` and `other`, and what they sign: `<file>.pem` with `<file>.key`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("ca", "other"):
            words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
            self._openssl(*words, "-days", "2", "-subj", f"/CN={name}")

    def sign(self, file: str, *, name: str, days: int = 2, other: bool = False) -> None:
        """Make a certificate for a host; `days` from now, or ago, it ends."""
        issuer = "other" if other else "ca"
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", f"/CN={name}")
        (self.folder / "names").write_text(f"subjectAltName=DNS:{name}")
        words = ["x509", "-req", "-in", f"{file}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"]
        self._openssl(*words, "-out", f"{file}.pem", "-days", str(days), "-extfile", "names")
        (self.folder / f"{file}.key").chmod(0o644)

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

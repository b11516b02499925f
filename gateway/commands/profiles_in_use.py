"""The profiles that the flows run on: commands are sent by the same ones."""

from __future__ import annotations

from pathlib import Path

from devices.catalogue import Catalogue
from devices.profile import Profile
from gateway.config import CONFIG_STATE, LastGood
from gateway.findings import load_folder


class ProfilesInUse:
    """Follows what the flows process says it has taken. It says so before it runs on it, so no command is sent by an older profile than its flow's."""

    def __init__(self, data: Path) -> None:
        self._state = data / CONFIG_STATE
        self._folder = LastGood(data).path
        self._said = (0, 0)

    def catalogue(self) -> Catalogue:
        """Give a catalogue of them."""
        return Catalogue(load_folder(self._folder / "devices", Profile, root=self._folder))

    def renewed(self) -> Catalogue | None:
        """Give one where something was taken since this was last asked."""
        try:
            now = self._state.stat()
        except FileNotFoundError:
            return None
        said = (now.st_mtime_ns, now.st_ino)
        if said == self._said:
            return None
        self._said = said
        return self.catalogue()

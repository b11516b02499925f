"""What can be wrong with the store."""

from __future__ import annotations

from gateway.damage import DamageError


class StoreError(Exception):
    """The store cannot be used: absent, damaged, another program's file, or written by a newer program. The text names the file."""


class StoreNewerError(StoreError):
    """The store was written by a newer program: it is sound, and not ours to change."""


class StoreAbsentError(StoreError):
    """There is no store yet: nothing has been written."""


class DamagedStoreError(StoreError, DamageError):
    """What lies in the store cannot be read as what it should be."""

    def __init__(self, reason: str) -> None:
        DamageError.__init__(self, "store.db", reason)

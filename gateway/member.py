"""Which of a cluster's hosts this one is."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import cache

from gateway.setting_types import Listen


class MemberError(OSError):
    """The host is none of the cluster's, nobody can tell which, or its address cannot be used; the text says so."""


@cache
def member_at(addresses: Sequence[Listen], member: int | None = None) -> int:
    """Give the number of the address that is this host's own, or see that `member` is.

    Raises:
        MemberError: none is, several are, or `member` is not.

    """
    if member is not None:
        if not _is_own(addresses[member]):
            raise MemberError(f"flows.member: {member} is {addresses[member]}, which is no address of this host")
        return member
    own = [number for number, address in enumerate(addresses) if _is_own(address)]
    if len(own) != 1:
        which = "none" if not own else "more than one"
        raise MemberError(f"flows.cluster: {which} of {', '.join(map(str, addresses))} is an address of this host; see flows.member")
    return own[0]


def _is_own(address: Listen) -> bool:
    try:
        family, kind, _, _, (host, *_) = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as one:
            one.bind((host, 0))
    except OSError:
        return False
    return True

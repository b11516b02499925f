"""The hardware address of a simulated device."""

from __future__ import annotations

from hashlib import blake2s


def mac(name: str) -> str:
    """Give a device an address of its own, locally administered (IEEE 802, the second-lowest bit of its first octet is set).

    >>> mac("t-1"), mac("t-2")
    ('029141C719CA', '02E1669820B7')
    """
    return f"02{blake2s(name.encode(), digest_size=5).hexdigest().upper()}"


def written(address: str) -> str:
    """Write an address as people do.

    >>> written("029141C719CA")
    '02:91:41:C7:19:CA'
    """
    return ":".join(address[at : at + 2] for at in range(0, 12, 2))

"""How many files a process may have open: every connection is one."""

from __future__ import annotations

import resource

_OTHERS = 64
"""Files that a process has open beside its connections, with room to spare."""


def make_room(connections: int) -> None:
    """Let this process hold so many connections, if need be by raising its soft limit of open files, as any process may.

    OSError when the hard limit is too low, which only root can raise: getrlimit(2), RLIMIT_NOFILE.
    """
    needed = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(
            f"{connections} connections need {needed} open files, and this process may have {hard}: raise the limit"
            f" (ulimit -n {needed}, or LimitNOFILE={needed} of a service), or let groups share `connections`"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))

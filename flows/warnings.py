"""What may be a slip in a flow file, though nothing is wrong with it: names that nothing known goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from devices.profile import Profile
from flows.cel_text import tokens
from flows.flow import Flow
from flows.templates import Template
from gateway.findings import Finding, Problem, hint, open_document, placed
from gateway.settings import Settings

_UNCONFIRMED = (
    "the first host of the cluster sends it, and what the device reports may go to another and confirm nothing;"
    " have a subscription with `hosts: first` for what actuators publish"
)

Series = tuple[str, str]
"""A device and one of its metrics."""


def warnings(config: Path, flows: Sequence[Flow], profiles: Sequence[Profile], *, heard: Iterable[Series]) -> list[Finding]:
    """Give each metric that nothing ever published and no flow republishes, and each device that was never heard of and is in no profile.

    `heard` are the series that were ever heard; where there is none yet, nothing can be told.
    """
    names = _Names(heard, flows, profiles)
    if not names.heard:
        return []
    found: list[Finding] = []
    for flow in flows:
        found += placed(open_document(config / flow.file, root=config), _of_flow(flow, names))
    return sorted(found)


def cluster_warnings(config: Path, flows: Sequence[Flow], settings: Settings) -> list[Finding]:
    """Give each command that nothing may confirm, since the hosts of a cluster share all that devices report."""
    if not settings.flows.cluster or any(one.hosts == "first" for one in settings.broker.subscribe):
        return []
    found: list[Finding] = []
    for flow in flows:
        commands = [number for number, action in enumerate(flow.spec.do) if action.command is not None]
        problems = [Problem(("do", number, "command"), _UNCONFIRMED, show=False) for number in commands]
        found += placed(open_document(config / flow.file, root=config), problems)
    return sorted(found)


class _Names:
    """What is known by name: the metrics of each device that was heard, and what flows republish."""

    def __init__(self, heard: Iterable[Series], flows: Sequence[Flow], profiles: Sequence[Profile]) -> None:
        self.heard: dict[str, set[str]] = {}
        for device, metric in heard:
            self.heard.setdefault(device, set()).add(metric)
        self.republished = {one.metric for flow in flows for one in flow.republished}
        self.metrics = {metric for metrics in self.heard.values() for metric in metrics} | self.republished
        self.devices = set(self.heard) | {name for flow in flows for name in _republishers(flow)}
        self._patterns = {pattern for profile in profiles for pattern in profile.devices} - {"*"}
        self._named = {profile.name for profile in profiles if profile.name}

    def knows_device(self, name: str) -> bool:
        return name in self.devices or name in self._named or any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def metrics_of(self, device: str) -> set[str]:
        """Give what a device may say: what it said, and what flows may republish as its own; of one that never said anything, all there is."""
        return self.heard[device] | self.republished if device in self.heard else self.metrics


def _republishers(flow: Flow) -> Iterator[str]:
    """Give the devices that a flow republishes values as, where the file names them."""
    for one in flow.republished:
        name = one.device.exact({})
        if name is not None and not one.device.names:
            yield name


def _of_flow(flow: Flow, names: _Names) -> Iterator[Problem]:
    for number, metric in enumerate(flow.spec.select.metrics):
        if metric not in names.metrics:
            yield Problem(("select", "metrics", number), _unheard(metric, names.metrics), show=False)
    for offset, named in _devices_in(flow.spec.select.where or ""):
        if not names.knows_device(named):
            yield Problem(("select", "where"), _unknown(named, names.devices), offset=offset, show=False)
    for name, lookup in flow.lookups.items():
        device = lookup.device
        if device is not None and not names.knows_device(device):
            yield Problem(("lookup", name, "device"), _unknown(device, names.devices), show=False)
        known = names.metrics if device is None else names.metrics_of(device)
        if lookup.metric not in known:
            yield Problem(("lookup", name, "metric"), _unheard(lookup.metric, known, device), show=False)
    for number, action in enumerate(flow.spec.do):
        if action.command is not None:
            yield from _of_command(number, Template(action.command.device), names)


def _devices_in(where: str) -> Iterator[tuple[int, str]]:
    """Give the devices that a condition compares with by name, and where in it they stand.

    >>> list(_devices_in('device == "a" || device in ["b", "c"] || labels.room == "d"'))
    [(10, 'a'), (28, 'b'), (33, 'c')]
    """
    found = tokens(where)
    for at, token in enumerate(found):
        if token.text != "device" or at + 1 == len(found) or found[at + 1].text not in {"==", "in"}:
            continue
        for one in found[at + 2 :]:
            if one.kind == "text" and one.text[0] in "\"'":
                yield one.start, one.text[1:-1]
            elif one.text not in {"[", ","}:
                break
            if found[at + 1].text == "==":
                break


def _of_command(number: int, device: Template, names: _Names) -> Iterator[Problem]:
    name = None if device.names else device.exact({})
    if name is not None and not names.knows_device(name):
        yield Problem(("do", number, "command", "device"), _unknown(name, names.devices), show=False)


def _unheard(metric: str, known: set[str], device: str | None = None) -> str:
    who = "nothing has ever" if device is None else f"{device} has never"
    return f"{who} published {metric!r}{hint(metric, known)}"


def _unknown(device: str, known: set[str]) -> str:
    return f"no device {device!r} was ever heard of, and no profile names it{hint(device, known)}"

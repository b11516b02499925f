"""Devices that were heard of since the start, and how each is commanded: what the store is told when that is new or has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from devices.catalogue import Catalogue
from devices.reading import Reading
from flows.known_series import KnownSeries
from gateway.store.effects import DeviceLearned

_Learned = tuple[str, str, Mapping[str, str]]


class Heard:
    """Dialect, address and words of each device, as the store has them. Bounded as the series are: without room, only known devices count."""

    def __init__(self, catalogue: Catalogue, series: KnownSeries) -> None:
        self._catalogue = catalogue
        self._series = series
        self._devices: dict[str, _Learned] = {}

    def __contains__(self, device: str) -> bool:
        return device in self._devices

    def learn(self, reading: Reading) -> DeviceLearned:
        """Note a device that is heard of for the first time since the start."""
        self._catalogue.news.readdressed.discard(reading.device)
        address = self._catalogue.address(reading.device)
        base = address.base if address else ""
        self._devices[reading.device] = (reading.convention, base, self._catalogue.words(reading.device, reading.convention))
        return DeviceLearned(reading.device, reading.convention, base, dict(reading.labels), reading.received)

    def readdress(self, device: str, received: int) -> Iterator[DeviceLearned]:
        """Note that a device is commanded in another way now, or called so."""
        address = self._catalogue.address(device)
        if address is None or not self._has_room(device):
            return
        learned = (address.convention, address.base, self._catalogue.words(device, address.convention))
        if learned != self._devices.get(device):
            self._devices[device] = learned
            labels = {**learned[2], **self._catalogue.profiles.of(device, address.convention).labels}
            yield DeviceLearned(device, address.convention, address.base, labels, received)

    def forget(self, devices: Iterable[str]) -> None:
        """Forget devices, here and in the catalogue."""
        for device in devices:
            self._devices.pop(device, None)
            self._catalogue.forget(device)

    def _has_room(self, device: str) -> bool:
        crowded = self._series.full or len(self._devices) >= self._series.limit
        return not crowded or device in self._devices or self._series.has(device)

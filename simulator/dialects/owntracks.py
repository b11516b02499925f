"""OwnTracks: a phone or tracker that says where it is, on `owntracks/<user>/<device>`.

Source: https://owntracks.org/booklet/tech/json/
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Outgoing, Value, compact
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND

_ELEMENTS = {
    "latitude": ("lat", 1.0, 6),
    "longitude": ("lon", 1.0, 6),
    "accuracy": ("acc", 1.0, None),
    "altitude": ("alt", 1.0, None),
    "speed": ("vel", 3.6, None),
    "heading": ("cog", 1.0, None),
    "battery": ("batt", 1.0, None),
    "pressure": ("p", 0.1, 3),
}
"""What an element is called, how many of its units one of the metric's is, and to how many places it is said (None: whole)."""


class OwnTracks(Dialect):
    """One device of the user that is the scenario's root. Without a position it has nothing to say, and it takes no commands.

    >>> OwnTracks("bike").report({"latitude": 50.1, "longitude": 8.7, "speed": 5.0}, on=None, at=1_750_000_000 * SECOND)[0].payload.decode()
    '{"_type":"location","tid":"ke","tst":1750000000,"conn":"m","lat":50.1,"lon":8.7,"vel":18}'
    """

    metrics = frozenset(_ELEMENTS)
    needs = frozenset({"latitude", "longitude"})
    stamped = True
    wills = True
    obeys = False

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.called = f"{manner.root}/{name}"
        self._topic = f"owntracks/{self.called}"
        self._last = 0

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else Outgoing(self._topic, compact({"_type": "lwt", "tst": self._last // SECOND}))

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  nothing on it acts
        known = self._sayable(values)
        if not known.keys() >= self.needs:
            return []
        self._last = at
        body: dict[str, Value] = {"_type": "location", "tid": self.called[-2:], "tst": at // SECOND, "conn": "m"}
        for metric, value in known.items():
            element, times, places = _ELEMENTS[metric]
            body[element] = value if isinstance(value, str) else round(value * times, places)
        return [Outgoing(self._topic, compact(body), retain=True)]

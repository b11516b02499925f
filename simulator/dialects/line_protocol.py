"""Influx line protocol: a line for each value, as Telegraf and small devices publish it over MQTT.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from simulator.dialect import Outgoing, Value, text
from simulator.dialects.rooted import Rooted


class LineProtocol(Rooted):
    """One device on `<root>/<name>`: the measurement is the metric, the tag `device` its name, and its labels are further tags.

    It takes no commands.

    >>> LineProtocol("t-1").report({"temperature": 21.5}, on=None, at=1_750_000_000_250_000_000)[0].payload.decode()
    'temperature,device=t-1 value=21.5 1750000000250000000'
    """

    stamped = True
    labelled = True
    bare = True
    obeys = False

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        states: dict[str, Value] = {} if on is None else {"state": on}
        tags = "".join(
            f",{_escaped(key)}={_escaped(value)}" for key, value in sorted({**self.manner.labels, "device": self.called}.items())
        )
        lines = [f"{_escaped(metric)}{tags} value={_field(value)} {at}" for metric, value in {**states, **values}.items()]
        return [Outgoing(self.topic, "\n".join(lines).encode())] if lines else []


def _escaped(word: str) -> str:
    r"""Write a measurement, a tag or its value.

    >>> _escaped("hall 2,north")
    'hall\\ 2\\,north'
    """
    return re.sub(r"([,= ])", r"\\\1", word)


def _field(value: Value) -> str:
    r"""Write a field's value: integers are marked, texts are in quotes.

    >>> _field(21.5), _field(3), _field(False), _field('so "so"')
    ('21.5', '3i', 'false', '"so \\"so\\""')
    """
    if isinstance(value, str):
        inside = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{inside}"'
    return f"{value}i" if isinstance(value, int) and not isinstance(value, bool) else text(value)
